"""The recipes and the examples, over HTTP: without a session no token, and the user never comes from the request."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from fin_messenger_auth.testing import decode, throwaway_rsa_key, throwaway_secret, verify
from fin_messenger_auth.testing._throwaway import pem_of

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest.importorskip("sanic", reason="the session `frameworks` installs every framework")

HERE = Path(__file__).parent
RECIPES = ["starlette", "litestar", "quart", "aiohttp", "tornado", "pyramid", "falcon", "bottle", "sanic"]
EXAMPLES = ["flask", "django", "fastapi"]
PATH = "messenger/settings"

ENVIRON = {
    "INTERCOM_APP_ID": "throwaway",
    "INTERCOM_MESSENGER_SECRET": throwaway_secret(),
    "SALESFORCE_PRIVATE_KEY": pem_of(throwaway_rsa_key()).decode(),
    "SALESFORCE_KEY_ID": "throwaway",
    "SALESFORCE_ISSUER": "https://issuer.example",
    "SALESFORCE_AUDIENCE": "https://example.my.salesforce-scrt.com",
}


@contextmanager
def served(*command: str) -> Iterator[httpx.Client]:
    phones = {f"{name}_{each}": value for each, value in ENVIRON.items() for name in ("IOS", "ANDROID")}
    secrets = {"IOS_INTERCOM_MESSENGER_SECRET": "i" * 32, "ANDROID_INTERCOM_MESSENGER_SECRET": "a" * 32}
    environ = {**os.environ, **ENVIRON, **phones, **secrets}
    with subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True, env=environ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        if url.startswith("["):  # an example's, with its sandbox's
            url = url.split('"')[1]
        try:
            with httpx.Client(base_url=url, timeout=10) as client:
                yield client
        finally:
            process.terminate()


def must_hold_no_token(answer: httpx.Response, *, status: int) -> None:
    assert answer.status_code == status
    assert "eyJ" not in answer.text
    must_not_be_cacheable(answer)


def must_not_be_cacheable(answer: httpx.Response) -> None:
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert "Cookie" in answer.headers["Vary"]


def try_everything(client: httpx.Client) -> None:
    """Ask for somebody's tokens in every way but by a session."""
    names = ("user_id", "user", "id", "username", "sub")
    for attempt in (
        client.get(PATH),
        client.get(PATH, params=dict.fromkeys(names, "42")),
        client.request("GET", PATH, json=dict.fromkeys(names, 42)),
        client.request("GET", PATH, data=dict.fromkeys(names, "42")),
        client.get(PATH, headers={"X-User-Id": "42", "X-Forwarded-User": "42", "Authorization": "Bearer 42"}),
        client.get(PATH, headers={"Cookie": "session=42; user_id=42; sessionid=42"}),
        client.get(PATH, headers={"Sec-Fetch-Site": "same-origin"}),
    ):
        must_hold_no_token(attempt, status=401)


def try_as_ada(client: httpx.Client) -> None:
    """Ask with Ada's session: for her own tokens, for another's, and from another origin."""
    for more in ({}, {"params": {"user_id": "7"}}, {"headers": {"X-User-Id": "7"}}):
        answer = client.get(PATH, **more)  # type: ignore[arg-type]  # one keyword or none
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("application/json")
        must_not_be_cacheable(answer)
        assert answer.json()["user_id"] == "42"
        decoded = decode(answer.json())
        assert decoded.intercom is not None
        assert decoded.salesforce is not None
        assert decoded.intercom.claims["user_id"] == decoded.salesforce.claims["sub"] == "42"
    must_hold_no_token(client.get(PATH, headers={"Sec-Fetch-Site": "cross-site"}), status=403)
    must_hold_no_token(client.get(PATH, headers={"Sec-Fetch-Site": "none"}), status=403)
    must_hold_no_token(client.get(PATH, headers={"Origin": "https://evil.example"}), status=403)
    assert "Access-Control-Allow-Origin" not in client.get(PATH).headers


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_mints_for_the_sessions_user_only(name: str) -> None:
    with served(str(HERE / "serve_recipe.py"), name) as client:
        try_everything(client)
        client.cookies.set("session", "adas-session")
        try_as_ada(client)
        verify(client.get(PATH).json())


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_mints_for_the_sessions_user_only(name: str) -> None:
    with served(str(HERE.parent / "browser" / "serve.py"), name) as client:
        try_everything(client)
        anonymous = client.get("")
        must_hold_no_token(anonymous, status=200)
        sign_in(client, anonymous.text)
        must_not_be_cacheable(client.get(""))
        try_as_ada(client)
        for path in ("sign-in", "sign-out", "show-as"):
            foreign = client.post(path, data={"username": "ada"}, headers={"Sec-Fetch-Site": "cross-site"})
            assert foreign.status_code == 403
        client.post("show-as", data={"username": "grace", **csrf(client)})
        assert "Grace" not in client.get("").text
        assert client.post("sign-out", data=csrf(client)).is_redirect
        try_everything(client)


def sign_in(client: httpx.Client, _page: str) -> None:
    wrong = client.post("sign-in", data={"username": "ada", "password": "guess", **csrf(client)})
    assert "session" not in str(wrong.headers.get_list("Set-Cookie"))
    answer = client.post("sign-in", data={"username": "ada", "password": "demo", **csrf(client)})
    assert answer.is_redirect
    must_not_be_cacheable(answer)


def csrf(client: httpx.Client) -> dict[str, str]:
    """Django's own token, where there is one."""
    _, found, rest = client.get("").text.partition('name="csrfmiddlewaretoken" value="')
    return {"csrfmiddlewaretoken": rest.partition('"')[0]} if found else {}


def test_a_phone_gets_a_token_signed_with_its_platforms_own_secret() -> None:
    with served(str(HERE / "serve_recipe.py"), "mobile") as client:
        must_hold_no_token(client.get("ios/messenger-token", params={"user_id": "42"}), status=401)
        client.cookies.set("session", "adas-session")
        must_hold_no_token(client.get("palm/messenger-token"), status=404)
        for platform in ("ios", "android"):
            answer = client.get(f"{platform}/messenger-token")
            must_not_be_cacheable(answer)
            assert answer.json().keys() == {"intercom_user_jwt", "expires_at"}
            settings = {"intercom_user_jwt": answer.json()["intercom_user_jwt"], "user_id": "42"}
            assert verify(settings, secret=platform[0] * 32).intercom is not None
            with pytest.raises(AssertionError):
                verify(settings)
