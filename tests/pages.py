"""What a page of a site says, and what it must say to caches."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from fin_messenger_auth.testing import decode

if TYPE_CHECKING:
    import httpx
    from playwright.sync_api import Page


def must_be_private(answer: httpx.Response) -> None:
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert "cookie" in {name.strip().lower() for name in answer.headers["Vary"].split(",")}


def user_in(page: httpx.Response) -> str | None:
    """The user of the snippet in a page, whose policy allows it; if there is one, no cache may keep the page."""
    assert page.status_code == 200
    [nonce] = set(re.findall(r'nonce="([^"]+)"', page.text))
    assert f"'nonce-{nonce}'" in page.headers["Content-Security-Policy"]
    if "eyJ" not in page.text:
        return None
    must_be_private(page)
    [jwt] = re.findall(r'"intercom_user_jwt":"([^"]+)"', page.text)
    decoded = decode({"intercom_user_jwt": jwt}).intercom
    assert decoded is not None
    user: str = decoded.claims["user_id"]
    return user


def calls(page: Page) -> list[list[Any]]:
    """What the sandbox's widget was told."""
    found: list[list[Any]] = page.evaluate("finMessengerSandbox.calls")
    return found
