"""The single-page example, bundled as its own command says: two workspaces, with the module alone and beside npm."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from fin_messenger_auth.testing import throwaway_environ
from tests.browser.serve import load

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import Site, Visitor

EXAMPLE = Path(__file__).parents[2] / "examples" / "single_page" / "front_end"


@pytest.fixture(scope="session")
def site(parts: Path, program: Callable[[str], str], serve: Callable[..., Site]) -> Site:
    folder = parts / f"single_page_{os.environ.get('PYTEST_XDIST_WORKER', '')}"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("node_modules", "dist", "fin-messenger-auth.*"))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        [program("npm"), "run", "build"], check=True, cwd=folder, capture_output=True, env={**os.environ, "PATH": path}
    )
    return serve("single_page", "--demo", "--scripts", str(folder / "dist"))


def at(site: Site, host: str, path: str) -> str:
    return site.url.replace("127.0.0.1", f"{host}.localhost") + path


def sign_in(page: Page, name: str) -> None:
    page.fill("[name=name]", name)
    page.fill("[name=password]", "demo")
    page.click("text=Sign in")


def settings(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate("intercomSettings")
    return found


def test_the_versions_are_those_of_the_tests() -> None:
    wanted, ours = (
        json.loads((folder / "package.json").read_text())["dependencies"] for folder in (EXAMPLE, Path(__file__).parent)
    )
    assert wanted == {name: ours[name] for name in wanted}


def test_each_workspace_has_variables_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in throwaway_environ().items():
        monkeypatch.setenv(f"SHOP_{name}", value)
        if name.startswith("INTERCOM_"):
            monkeypatch.setenv(f"DESK_{name}", value)
    monkeypatch.setenv("DESK_SALESFORCE_IDENTITY", "fin-managed")
    found = load("single_page").workspaces()
    assert {host: builder.salesforce is None for host, builder in found.items()} == {
        "shop.localhost": False,
        "desk.localhost": True,
    }


@pytest.mark.parametrize("path", ["", "npm", "react"], ids=["module", "npm", "react"])
def test_sign_in_and_sign_out_in_two_tabs_of_each_workspace(visitor: Visitor, site: Site, path: str) -> None:
    for host, app_id, tokens in (
        ("shop", "throwaway", ["intercom_user_jwt", "salesforce_identity_token"]),
        ("desk", "desk", ["intercom_user_jwt"]),
    ):
        first, second = visitor.open(at(site, host, path)), visitor.open(at(site, host, path))
        expect(first.locator("body")).to_contain_text("Chats shown: none")
        sign_in(first, "ada")
        for page in (first, second):
            expect(page.locator("body")).to_contain_text("Chats shown: 42")
            expect(page.locator("#who")).to_have_text("Signed in as 42")
            found = settings(page)
            assert found["app_id"] == app_id
            assert [name for name in found if name.endswith(("jwt", "token"))] == tokens
        sign_in(second, "grace")
        for page in (first, second):
            expect(page.locator("body")).to_contain_text("Chats shown: 7")
        first.click("text=Sign out")
        for page in (first, second):
            expect(page.locator("body")).to_contain_text("Chats shown: none")
            expect(page.locator("#who")).to_have_text("Nobody is signed in")
            assert settings(page).keys() == {"app_id", "api_base"}
    visitor.complaints = [each for each in visitor.complaints if "401" not in each]


def test_one_workspace_says_nothing_to_the_other(visitor: Visitor, site: Site) -> None:
    shop, desk = visitor.open(at(site, "shop", "")), visitor.open(at(site, "desk", ""))
    sign_in(shop, "ada")
    expect(shop.locator("body")).to_contain_text("Chats shown: 42")
    sign_in(desk, "grace")
    expect(desk.locator("body")).to_contain_text("Chats shown: 7")
    shop.click("text=Sign out")
    expect(shop.locator("body")).to_contain_text("Chats shown: none")
    desk.reload()
    expect(desk.locator("body")).to_contain_text("Chats shown: 7")
    visitor.complaints = [each for each in visitor.complaints if "401" not in each]
