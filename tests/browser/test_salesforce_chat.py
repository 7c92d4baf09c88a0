"""Salesforce's own web chat with the recipe's route and script, and a stub in place of Salesforce's bootstrap."""

from __future__ import annotations

import runpy
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fin_messenger_auth.diagnosis import VerifyingKey, check_salesforce_token
from fin_messenger_auth.testing import decode_token, throwaway_environ, throwaway_rsa_key

if TYPE_CHECKING:
    from tests.browser.conftest import Visitor

RECIPES = Path(__file__).parents[2] / "docs" / "recipes"

# As its documentation describes it: tokens are taken once it is ready, and clearSession takes its time.
BOOTSTRAP = """
window.tokens = []; window.cleared = 0;
window.embeddedservice_bootstrap = {userVerificationAPI: {
  setIdentityToken: token => window.tokens.push(token),
  clearSession: () => new Promise(done => setTimeout(() => { sessionStorage.cleared = "yes"; done(); }, 50)),
}};
window.dispatchEvent(new Event("onEmbeddedMessagingReady"));
"""
PAGE = f"""<!doctype html><title>shop</title><link rel="icon" href="data:,"><script src="/salesforce_chat.js"></script>
<form method="post" action="/logout" data-ends-chat><button>Sign out</button></form><script>{BOOTSTRAP}</script>"""


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    from flask import Flask, redirect, session
    from werkzeug.serving import make_server

    for name, value in {**throwaway_environ(), "SESSION_SECRET": "only for this test"}.items():
        monkeypatch.setenv(name, value)
    app: Flask = runpy.run_path(str(RECIPES / "salesforce_chat.py"))["make_app"]()
    app.add_url_rule("/", view_func=lambda: PAGE, endpoint="home")
    app.add_url_rule("/in", view_func=lambda: session.setdefault("user_id", "42") and redirect("/"), endpoint="in")
    app.add_url_rule(
        "/logout", view_func=lambda: session.pop("user_id") and redirect("/"), endpoint="out", methods=["POST"]
    )
    script = (RECIPES / "salesforce_chat.js").read_text("utf-8")
    app.add_url_rule(
        "/salesforce_chat.js", view_func=lambda: (script, {"Content-Type": "text/javascript"}), endpoint="js"
    )
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def tokens_of(page: Any, number: int) -> list[dict[str, str]]:
    page.wait_for_function("number => window.tokens.length >= number", arg=number)
    found: list[dict[str, str]] = page.evaluate("window.tokens")
    return found


def test_a_signed_in_visitor_is_identified_and_again_when_the_token_expires(visitor: Visitor, shop: str) -> None:
    page = visitor.open(f"{shop}/in")
    [first] = tokens_of(page, 1)
    page.evaluate("for (const _ of '12') dispatchEvent(new Event('onEmbeddedMessagingIdentityTokenExpired'))")
    _, second = tokens_of(page, 2)

    key = VerifyingKey(throwaway_rsa_key().public_key(), kid="throwaway")
    for each in (first, second):
        assert each["identityTokenType"] == "JWT"
        assert check_salesforce_token(each["identityToken"], keys=[key], issuer="https://issuer.example") == []
        assert decode_token(each["identityToken"]).claims["sub"] == "42"
    page.wait_for_timeout(200)
    assert len(tokens_of(page, 2)) == 2, "two events in a row fetch one token"


def test_a_guest_gets_no_token_and_a_sign_out_ends_the_session_of_the_chat_first(visitor: Visitor, shop: str) -> None:
    page = visitor.open(f"{shop}/in")
    tokens_of(page, 1)
    page.click("button")
    page.wait_for_function("sessionStorage.cleared === 'yes' && window.tokens && window.tokens.length === 0")

    answers: list[int] = []
    page.on("response", lambda response: answers.append(response.status) if "identity-token" in response.url else None)
    with page.expect_response("**/salesforce-identity-token"):
        page.reload()
    assert answers == [401]
    assert page.evaluate("window.tokens") == []
    visitor.complaints.clear()  # Chromium writes each 401 into the console
