"""A project that ``django-admin startproject`` made, in a real browser, under its strict policy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.django_project import ADA, GRACE, Served, make, served
from tests.pages import calls

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import Visitor

for package in ("csp", "hijack", "impersonate"):
    pytest.importorskip(package, reason="the session `browser` installs it")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module", params=["asgi"])  # under WSGI: test_start_commands
def site(request: pytest.FixtureRequest, project: Path) -> Iterator[Served]:
    with served(project, request.param, INTERCOM_TOKEN_LIFETIME="4") as each:
        yield each


def sign_in(page: Page, name: str) -> None:
    page.goto(f"{page.url}sign-in")
    page.fill("[name=username]", name)
    page.fill("[name=password]", "demo")
    page.click("#sign-in")


def test_sign_in_page_renewal_sign_out_next_user(visitor: Visitor, site: Served) -> None:
    visitor.sandbox = site.sandbox
    page = visitor.open(site.url)
    body = page.locator("body")
    expect(body).to_contain_text("Lead: an anonymous visitor")

    sign_in(page, "ada")
    expect(body).to_contain_text(f"Intercom: Verified as {ADA}")
    expect(body).to_contain_text(f"Salesforce: Verified as {ADA}")
    page.wait_for_timeout(4_000)
    (_, first), (method, second) = calls(page)[:2]
    assert method == "update"
    assert second["user_id"] == ADA
    assert second["intercom_user_jwt"] != first["intercom_user_jwt"]
    expect(body).to_contain_text(f"Intercom: Verified as {ADA}")

    page.click("#sign-out")
    expect(body).to_contain_text("Chats shown: none")
    assert [name for name, _ in calls(page)] == ["boot"]
    assert not [each["name"] for each in visitor.context.cookies() if each["name"].startswith(("intercom-", "fin"))]

    sign_in(page, "grace")
    expect(body).to_contain_text(f"Chats shown: {GRACE}")
    assert "fin_messenger_signed_out" not in str(visitor.context.cookies())
