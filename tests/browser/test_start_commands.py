"""Projects that each framework's own command starts, in a real browser, under their strict policy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import pytest
from playwright.sync_api import expect

from fin_messenger_auth.sandbox import start_throwaway
from tests.pages import calls
from tests.projects import Project, framework_of, make, started

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import Visitor

for package in ("csp", "hijack", "impersonate", "fastapi_cli"):
    pytest.importorskip(package, reason="the session `browser` installs it")


class Site(NamedTuple):
    url: str
    sandbox: str
    project: Project


@pytest.fixture(scope="module", params=["django runserver", "flask run", "fastapi run"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    project = make(framework_of(request.param), tmp_path_factory.mktemp("project"))
    _, sandbox = start_throwaway()
    with started(project.directory, request.param, INTERCOM_TOKEN_LIFETIME="4") as url:
        yield Site(url, sandbox, project)


def sign_in(page: Page, site: Site, name: str) -> None:
    if page.locator("[name=username]").count() == 0:
        page.goto(f"{site.url}sign-in")  # Django's own view has a page of its own
    page.fill("[name=username]", name)
    page.fill("[name=password]", "demo")
    page.click("#sign-in")


def test_sign_in_page_renewal_sign_out_next_user(visitor: Visitor, site: Site) -> None:
    visitor.sandbox = site.sandbox
    page = visitor.open(site.url)
    body = page.locator("body")
    expect(body).to_contain_text("Lead: an anonymous visitor")

    sign_in(page, site, "ada")
    expect(body).to_contain_text(f"Intercom: Verified as {site.project.ada}")
    expect(body).to_contain_text(f"Salesforce: Verified as {site.project.ada}")
    page.wait_for_timeout(4_000)
    (_, first), (method, second) = calls(page)[:2]
    assert method == "update"
    assert second["user_id"] == site.project.ada
    assert second["intercom_user_jwt"] != first["intercom_user_jwt"]
    expect(body).to_contain_text(f"Intercom: Verified as {site.project.ada}")

    page.click("#sign-out")
    expect(body).to_contain_text("Chats shown: none")
    assert [name for name, _ in calls(page)] == ["boot"]
    assert not [each["name"] for each in visitor.context.cookies() if each["name"].startswith(("intercom-", "fin"))]

    sign_in(page, site, "grace")
    expect(body).to_contain_text(f"Chats shown: {site.project.grace}")
    assert "fin_messenger_signed_out" not in str(visitor.context.cookies())
