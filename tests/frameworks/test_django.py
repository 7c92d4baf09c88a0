"""The app in a project that ``django-admin startproject`` made, over HTTP, under WSGI and ASGI."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from fin_messenger_auth.diagnosis import check_environment
from fin_messenger_auth.testing import decode, throwaway_environ
from tests import pages
from tests.attempts import FOREIGN, attempts
from tests.django_project import ADA, GRACE, Served, documented, make, must_work, run, served
from tests.pages import must_be_private

for package in ("csp", "hijack", "impersonate", "uvicorn"):
    pytest.importorskip(package, reason="the session `frameworks` installs it")

SETTINGS = "messenger/settings"
SNIPPET = "})().boot("
SIGN_OUT_SCRIPT = '})().leave("'


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="session")
def servers(project: Path) -> Iterator[dict[str, Served]]:
    with served(project, "wsgi") as wsgi, served(project, "asgi") as asgi:
        yield {"wsgi": wsgi, "asgi": asgi}


@pytest.fixture(params=["wsgi", "asgi"])
def site(request: pytest.FixtureRequest, servers: dict[str, Served]) -> Served:
    return servers[request.param]


@pytest.fixture
def client(site: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=site.url) as each:
        yield each


def sign_in(client: httpx.Client, name: str = "ada") -> None:
    post(client, "sign-in", username=name, password="demo")
    assert "sessionid" in client.cookies


def post(client: httpx.Client, path: str, **data: str) -> httpx.Response:
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', client.get("sign-in").text)
    assert token is not None
    answer = client.post(path, data={**data, "csrfmiddlewaretoken": token[1]})
    assert answer.status_code in {200, 302}
    return answer


def user_in(page: httpx.Response) -> str | None:
    """The user of the snippet in a page, which renews its tokens."""
    assert SNIPPET in page.text
    user = pages.user_in(page)
    assert user is None or "/messenger/renewal.js" in page.text
    return user


# Without secrets


@pytest.mark.parametrize(
    "command",
    ["check", "makemigrations --check", "collectstatic --noinput", "migrate", "showmigrations", "diffsettings"],
)
def test_commands_work_without_secrets(project: Path, command: str) -> None:
    must_work(run(project, "manage.py", *command.split()))


@pytest.mark.parametrize(
    "command",
    [
        ["manage.py", "runserver", "--noreload", "127.0.0.1:0"],
        ["-c", "import shop.wsgi"],
        ["-c", "import shop.asgi"],
    ],
    ids=["runserver", "wsgi", "asgi"],
)
def test_no_server_starts_without_secrets(project: Path, command: list[str]) -> None:
    done = run(project, *command)

    assert done.returncode != 0
    assert "INTERCOM_APP_ID and INTERCOM_MESSENGER_SECRET must be set." in done.stderr
    must_work(run(project, "-c", "import shop.wsgi", **throwaway_environ()))


@pytest.mark.parametrize(
    "environ",
    [{}, {**throwaway_environ(), "INTERCOM_REGION": "mars"}, {**throwaway_environ(), "SALESFORCE_ISSUER": "fin.ai"}],
    ids=["nothing", "region", "issuer"],
)
def test_check_deploy_says_what_the_doctor_says(project: Path, environ: dict[str, str]) -> None:
    done = run(project, "manage.py", "check", "--deploy", "--fail-level", "ERROR", **environ)

    found = check_environment(environ)
    assert found
    codes = {f"fin_messenger_auth.{each.level[0].upper()}.{each.code}" for each in found}
    assert set(re.findall(r"\((fin_messenger_auth\.[^)]+)\)", done.stderr)) == codes
    assert found[0].message in done.stderr
    assert (done.returncode != 0) == any(code.startswith("fin_messenger_auth.E") for code in codes)


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ("MIDDLEWARE = [each for each in MIDDLEWARE if 'FinMessenger' not in each]", "E.middleware"),
        ("FIN_MESSENGER = {'IDENTFIY': 'people.views.identify'}", "E.argument-invalid"),
        ("FIN_MESSENGER = {'IDENTIFY': 'people.views.nobody'}", "E.argument-invalid"),
    ],
    ids=["middleware", "key", "path"],
)
def test_check_finds_what_is_wrong_in_the_project(project: Path, settings: str, code: str) -> None:
    done = run(project, "manage.py", "check", EXTRA_SETTINGS=settings)

    assert done.returncode == 1
    assert f"fin_messenger_auth.{code})" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_documented_tests_pass_whatever_the_machines_environment_is(project: Path) -> None:
    for name in ("settings_test", "tests"):
        (project / "shop" / f"{name}.py").write_text(documented(f"shop/{name}.py"))
    command = ["manage.py", "test", "--settings", "shop.settings_test"]
    done = run(project, *command, EXTRA_SETTINGS="FIN_MESSENGER = {}", SALESFORCE_PRIVATE_KEY_FILE="/nowhere")

    must_work(done)
    assert "Ran 2 tests" in done.stderr


# Pages


def test_from_sign_in_to_the_next_user(client: httpx.Client) -> None:
    assert user_in(client.get("")) is None
    assert client.get(SETTINGS).status_code == 401
    sign_in(client)
    assert user_in(client.get("")) == ADA
    answer = client.get(SETTINGS)
    assert answer.status_code == 200
    must_be_private(answer)
    assert answer.json()["user_id"] == ADA

    gone = post(client, "sign-out")
    expired = [each for each in gone.headers.get_list("Set-Cookie") if each.startswith("intercom-")]
    assert len(expired) == 3
    assert all("Max-Age=0" in each for each in expired)
    after = client.get("")
    assert SIGN_OUT_SCRIPT in after.text
    assert after.text.index(SIGN_OUT_SCRIPT) < after.text.index(SNIPPET)
    must_be_private(after)
    assert user_in(after) is None
    assert SIGN_OUT_SCRIPT not in client.get("").text
    assert client.get(SETTINGS).status_code == 401

    sign_in(client, "grace")
    assert user_in(client.get("")) == GRACE


def test_the_page_of_the_sign_out_itself_has_the_script_once(client: httpx.Client) -> None:
    sign_in(client)
    page = post(client, "sign-out-here")
    assert SIGN_OUT_SCRIPT in page.text
    must_be_private(page)
    assert user_in(page) is None
    assert SIGN_OUT_SCRIPT not in client.get("").text


def test_a_page_of_an_async_view(client: httpx.Client) -> None:
    sign_in(client)
    page = client.get("async")
    assert user_in(page) == ADA
    assert '"page_title":"async"' in page.text


def test_a_setting_from_the_view(client: httpx.Client) -> None:
    assert '"page_title":"Cart"' in client.get("", params={"title": "Cart"}).text
    assert '"page_title":"' not in client.get("").text


def test_a_view_without_the_messenger(client: httpx.Client) -> None:
    sign_in(client)
    assert SNIPPET not in client.get("without").text
    assert "no-store" not in client.get("plain").headers.get("Cache-Control", "")


# Caches


@pytest.mark.parametrize("path", ["", "cached", "public", "streamed"], ids=["site", "cached", "public", "streamed"])
def test_no_cache_keeps_a_page_with_tokens(site: Served, path: str) -> None:
    for name, user in (("ada", ADA), ("grace", GRACE)):
        with httpx.Client(base_url=site.url) as client:
            sign_in(client, name)
            for _ in range(2):
                page = client.get(path)
                assert user_in(page) == user
                must_be_private(page)
    with httpx.Client(base_url=site.url) as client:
        assert user_in(client.get(path)) is None


def test_a_page_without_tokens_is_cached(client: httpx.Client) -> None:
    assert "max-age" in client.get("plain").headers["Cache-Control"]
    script = client.get("messenger/renewal.js")
    assert script.headers["Cache-Control"].startswith("public")
    assert script.headers["Content-Type"].startswith("text/javascript")
    assert "export" in script.text


def test_fresh_settings_do_not_prolong_the_session(client: httpx.Client) -> None:
    sign_in(client)
    assert "sessionid" in client.get("plain").headers["Set-Cookie"]  # the project saves it at every request
    assert "Set-Cookie" not in client.get(SETTINGS).headers
    assert "Set-Cookie" not in client.get("messenger/renewal.js").headers  # which shared caches keep
    assert client.get(SETTINGS).status_code == 200


# Whose tokens

ATTEMPTS = attempts(ADA)


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_without_a_session_there_are_no_tokens(client: httpx.Client, attempt: str) -> None:
    answer = client.request("GET", SETTINGS, **ATTEMPTS[attempt])  # type: ignore[arg-type]  # one of its keywords

    assert answer.status_code == 401
    assert answer.json() == {"api_base": "https://api-iam.intercom.io", "app_id": "throwaway"}
    must_be_private(answer)


@pytest.mark.parametrize("attempt", FOREIGN)
def test_another_origin_gets_nothing(client: httpx.Client, attempt: str) -> None:
    sign_in(client)
    answer = client.get(SETTINGS, headers=FOREIGN[attempt])

    assert (answer.status_code, answer.json()) == (403, {})
    must_be_private(answer)
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_a_session_gives_its_own_users_tokens_only(client: httpx.Client) -> None:
    sign_in(client)
    for more in ({"params": {"user_id": GRACE}}, {"headers": {"X-User-Id": GRACE}}):
        assert client.get(SETTINGS, **more).json()["user_id"] == ADA  # type: ignore[arg-type]  # one of its keywords
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert "eyJ" not in client.request(method, SETTINGS).text
    assert client.get(SETTINGS, headers={"Host": "evil.example"}).status_code == 400


def test_after_a_sign_out_the_old_session_is_worth_nothing(client: httpx.Client) -> None:
    sign_in(client)
    old = client.cookies["sessionid"]
    post(client, "sign-out")
    client.cookies.set("sessionid", old)
    assert client.get(SETTINGS).status_code == 401


@pytest.mark.parametrize("tool", ["hijack", "impersonate"])
def test_an_impersonated_user_has_no_tokens(client: httpx.Client, tool: str) -> None:
    sign_in(client, "root")
    assert user_in(client.get("")) is not None
    if tool == "hijack":
        post(client, "hijack/acquire/", user_pk=ADA)
    else:
        client.get(f"impersonate/{ADA}/")
    page = client.get("")
    assert ">ada<" in page.text  # the site shows Ada's page
    assert user_in(page) is None
    assert client.get(SETTINGS).status_code == 401
    if tool == "hijack":
        post(client, "hijack/release/")
    else:
        client.get("impersonate/stop/")
    assert client.get(SETTINGS).status_code == 200


# The setting


def test_the_setting(project: Path) -> None:
    environ = {f"SHOP_{name}": value for name, value in throwaway_environ().items()}
    options = {
        "PREFIX": "SHOP_",
        "IDENTIFY": "people.views.identify",
        "EXCLUDE": "people.views.is_excluded",
        "RENEWAL": False,
    }
    login = "MIDDLEWARE.append('django.contrib.auth.middleware.LoginRequiredMiddleware')"
    settings = f"FIN_MESSENGER = {options!r}\n{login}"
    environ |= {"INTERCOM_APP_ID": "", "FIN_MESSENGER_WIDGET_BASE": "http://127.0.0.1:8765/widget/"}
    with served(project, "asgi", settings, **environ) as site:
        with httpx.Client(base_url=site.url) as client:
            assert " http://127.0.0.1:8765" in client.get("plain").headers["Content-Security-Policy"]
            assert client.get(SETTINGS).status_code == 401  # and no redirect to the sign-in page
            sign_in(client)
            [jwt] = re.findall(r'"intercom_user_jwt":"([^"]+)"', client.get("").text)
            decoded = decode({"intercom_user_jwt": jwt}).intercom
            assert decoded is not None
            assert decoded.claims["company"]["name"] == "Acme"
            assert "renewal.js" not in client.get("").text
            assert "Acme" not in json.dumps(client.get(SETTINGS).json())
            assert client.get(SETTINGS).json()["user_id"] == ADA
        with httpx.Client(base_url=site.url) as client:
            sign_in(client, "staff")
            assert SNIPPET not in client.get("").text
            assert SNIPPET not in client.get("async").text
            assert client.get(SETTINGS).status_code == 401


BROKEN = """
def broken():
    from dataclasses import replace
    from fin_messenger_auth import IntercomMinter
    from fin_messenger_auth.testing import throwaway_builder

    class Broken:
        alg, kid = "HS256", None

        def sign(self, _signing_input, /):
            raise RuntimeError("hush-hush")

    return replace(throwaway_builder(), intercom=IntercomMinter(Broken()), on_signing_error="anonymous")

FIN_MESSENGER = {"BUILDER": broken}
"""


def test_if_signing_fails_the_page_is_anonymous_and_fresh_settings_are_503(project: Path) -> None:
    with served(project, "wsgi", BROKEN) as site, httpx.Client(base_url=site.url) as client:
        sign_in(client)
        assert user_in(client.get("")) is None
        answer = client.get(SETTINGS)
        assert answer.status_code == 503
        assert answer.json() == {"api_base": "https://api-iam.intercom.io", "app_id": "throwaway"}
        must_be_private(answer)
        assert "failed (anonymous)" in site.log.read_text()
        assert "hush-hush" not in site.log.read_text()
