"""Projects that each framework's own command starts, over HTTP, alone and behind a cache for the whole site."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from tests.attempts import FOREIGN, attempts
from tests.conftest import Program
from tests.django_project import run
from tests.pages import must_be_private, user_in
from tests.projects import COMMANDS, Project, framework_of, free_port, make, post, running, sign_in, started

for package in ("csp", "hijack", "impersonate", "fastapi_cli"):
    pytest.importorskip(package, reason="the session `frameworks` installs it")

SETTINGS = "messenger/settings"
SIGN_OUT_SCRIPT = '})().leave("'
ANONYMOUS = {"api_base": "https://api-iam.intercom.io", "app_id": "throwaway"}


class Site(NamedTuple):
    url: str
    project: Project


@pytest.fixture(scope="module", params=COMMANDS)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    project = make(framework_of(request.param), tmp_path_factory.mktemp("project"))
    with started(project.directory, request.param) as url:
        yield Site(url, project)


@pytest.fixture(scope="module")
def cache(site: Site, program: Program, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A site-wide cache that keeps everything unless a response says otherwise; its address and its directory."""
    nginx, directory, port = program("nginx"), tmp_path_factory.mktemp("nginx"), free_port()
    temporary = "".join(
        f"{each}_temp_path {directory}/{each};" for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""  # whose directory it is
    configuration = f"""
        {user} daemon off; pid {directory}/pid; error_log stderr; events {{}}
        http {{
            access_log off; {temporary}
            proxy_cache_path {directory}/cache keys_zone=everything:1m;
            server {{
                listen 127.0.0.1:{port};
                location / {{
                    proxy_pass {site.url};
                    proxy_set_header Host $http_host;
                    proxy_cache everything; proxy_cache_valid any 10m;
                    add_header X-Cache $upstream_cache_status always;
                }}
            }}
        }}
    """
    (directory / "nginx.conf").write_text(configuration)
    command = [nginx, "-p", str(directory), "-c", f"{directory}/nginx.conf", "-e", "stderr"]
    with running(command, f"http://127.0.0.1:{port}/", directory) as url:
        yield url, directory / "cache"


def visit(client: httpx.Client, project: Project) -> None:
    """Sign in, look at the page and at fresh settings, sign out; then the next user in the same browser."""
    assert user_in(client.get("")) is None
    assert client.get(SETTINGS).status_code == 401
    sign_in(client, "ada")
    for _ in range(3):
        assert user_in(client.get("")) == project.ada
        answer = client.get(SETTINGS)
        must_be_private(answer)
        assert answer.json()["user_id"] == project.ada
        assert "Set-Cookie" not in answer.headers
    gone = post(client, "sign-out")
    assert len([each for each in gone.headers.get_list("Set-Cookie") if each.startswith("intercom-")]) == 3
    after = client.get("")
    assert SIGN_OUT_SCRIPT in after.text
    assert user_in(after) is None
    assert SIGN_OUT_SCRIPT not in client.get("").text
    assert client.get(SETTINGS).status_code == 401
    sign_in(client, "grace")
    assert user_in(client.get("")) == project.grace


def test_from_sign_in_to_the_next_user(site: Site) -> None:
    with httpx.Client(base_url=site.url, timeout=30) as client:
        visit(client, site.project)
        script = client.get("messenger/renewal.js")
        assert script.headers["Content-Type"].startswith("text/javascript")
        assert "Set-Cookie" not in script.headers


def test_the_next_user_in_the_same_browser_without_a_sign_out(site: Site) -> None:
    with httpx.Client(base_url=site.url, timeout=30) as client:
        for name, user in (("ada", site.project.ada), ("grace", site.project.grace)):
            sign_in(client, name)
            assert user_in(client.get("")) == user
            assert client.get(SETTINGS).json()["user_id"] == user


def test_every_attempt_without_a_session_is_refused(site: Site) -> None:
    with httpx.Client(base_url=site.url, timeout=30) as client:
        refused = {
            name: client.request("GET", SETTINGS, **each)  # type: ignore[arg-type]  # one of its keywords
            for name, each in attempts(site.project.ada).items()
        }
        assert len(refused) >= 23
        assert {name: (each.status_code, each.json()) for name, each in refused.items()} == dict.fromkeys(
            refused, (401, ANONYMOUS)
        )
        for each in refused.values():
            must_be_private(each)
        assert client.head(SETTINGS).status_code in {401, 405}


def test_other_origins_and_methods_are_refused(site: Site) -> None:
    with httpx.Client(base_url=site.url, timeout=30) as client:
        sign_in(client, "ada")
        for headers in FOREIGN.values():
            answer = client.get(SETTINGS, headers=headers)
            assert (answer.status_code, answer.json()) == (403, {})
        for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            assert "eyJ" not in client.request(method, SETTINGS).text
        assert client.get(SETTINGS, params={"user_id": site.project.grace}).json()["user_id"] == site.project.ada


def test_a_cache_in_front_of_the_site_keeps_nothing_personal(site: Site, cache: tuple[str, Path]) -> None:
    url, kept = cache
    with httpx.Client(base_url=url, timeout=30) as client:
        for path in ("plain", "messenger/renewal.js"):
            assert [client.get(path).headers["X-Cache"] for _ in range(2)] == ["MISS", "HIT"]
        visit(client, site.project)
    with httpx.Client(base_url=url, timeout=30) as client:
        visit(client, site.project)  # somebody else's browser, with everything kept that may be kept
    files = [path.read_bytes() for path in kept.rglob("*") if path.is_file()]
    assert len(files) >= 2
    personal = [b"eyJ", b'"user_id":', SIGN_OUT_SCRIPT.encode()]
    assert [each for each in personal if any(each in file for file in files)] == []


@pytest.mark.parametrize("command", ["flask run", "fastapi run", "uvicorn"])  # Django's: test_django
def test_no_server_starts_without_secrets(command: str, tmp_path: Path) -> None:
    project = make(framework_of(command), tmp_path)
    arguments = COMMANDS[command].format(port=free_port()).split()
    done = run(project.directory, *arguments)

    assert done.returncode != 0
    assert "INTERCOM_APP_ID and INTERCOM_MESSENGER_SECRET must be set." in done.stdout + done.stderr
