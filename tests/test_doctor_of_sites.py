"""The doctor looks at pages and uploads: its first line names the one thing to do."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from fin_messenger_auth import render_snippet
from fin_messenger_auth.cli import main
from fin_messenger_auth.diagnosis import (
    CATALOGUE,
    Document,
    Expected,
    Level,
    check_page,
    check_upload,
)
from fin_messenger_auth.onboarding import make_key_directory
from fin_messenger_auth.page import strict_policy
from fin_messenger_auth.testing import throwaway_builder
from tests.broken_pages import BROKEN_PAGES, HEALTHY_PAGES
from tests.broken_setups import OTHER_JWK, Setup
from tests.broken_sites import BROKEN_SITES, HEALTHY_SITES, MUST_NOT_BE_PRINTED, Site, SiteCase, by_hand, page, snippet
from tests.broken_tokens import ISSUER, SECRET

BROKEN, HEALTHY = [*BROKEN_SITES, *BROKEN_PAGES], [*HEALTHY_SITES, *HEALTHY_PAGES]


@pytest.fixture(scope="session")
def made_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    kid = "-Key1"  # one thumbprint in 64 begins with a hyphen, too
    return make_key_directory(tmp_path_factory.mktemp("keygen") / "keys", kid=kid).path


@pytest.fixture
def site(made_directory: Path, tmp_path: Path) -> Site:
    directory = Path(shutil.copytree(made_directory, tmp_path / "keys"))
    return Site(directory, Setup.healthy(directory).environ, [str(directory), "--issuer", ISSUER])


def doctor(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *more: str
) -> tuple[int, str]:
    """Run the command as a user would, with the page in a file."""
    path = site.directory.parent / "page.html"
    path.write_bytes(site.document.encode() if site.saved is None else site.saved)
    for name in ("INTERCOM_REGION", *site.environ):
        monkeypatch.delenv(name, raising=False)
    for name, value in site.environ.items():
        monkeypatch.setenv(name, value)
    status = main(["doctor", *site.options, "--page", str(path), *more])
    return status, capsys.readouterr().out


def first_code(output: str) -> str:
    """The code of the first finding that is an error or a warning."""
    lines = output.splitlines()
    at = next((at for at, line in enumerate(lines) if line[:1] in ("✗", "!")), None)
    return "" if at is None else lines[at + 2].split()[1]


def first_line(output: str, site: Site) -> str:
    """The first error or warning, without what differs from day to day and from key to key."""
    kid = site.jwk["kid"]
    line = next(line for line in output.splitlines() if line[:1] in ("✗", "!"))
    for changing, instead in (
        (kid, "KID"),
        (OTHER_JWK["kid"], "OTHER"),
        (kid.swapcase(), "kID"),
        (str(site.directory.parent), "DIRECTORY"),
    ):
        line = line.replace(changing, instead)
    return re.sub(r"\d+ days ago", "N days ago", re.sub(r"\d{4}-\d\d-\d\d", "DATE", line))


FIRST_LINES: dict[str, str] = json.loads(
    Path(__file__).with_name("data").joinpath("first_lines.json").read_text("utf-8")
)
"""The first line of each broken site, to be read aloud."""


@pytest.mark.parametrize("case", [*BROKEN, *HEALTHY], ids=str)
def test_the_first_line_names_the_fault(
    case: SiteCase, site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    case.change(site)
    status, output = doctor(site, monkeypatch, capsys)
    assert first_code(output) == case.code, output
    if case.code:
        assert first_line(output, site) == FIRST_LINES[str(case)]
    assert status == int("✗" in output)
    assert not MUST_NOT_BE_PRINTED.search(output)
    if site.environ.get("SALESFORCE_KEY_ID"):
        assert "--kid KID" not in output
        assert "--private-key FILE" not in output
    assert SECRET not in output


def test_there_are_enough_of_them() -> None:
    assert len(BROKEN) >= 120
    assert len(HEALTHY) >= 40
    assert len({str(case) for case in (*BROKEN, *HEALTHY)}) == len(BROKEN) + len(HEALTHY)
    assert {case.code for case in BROKEN} <= set(CATALOGUE)
    assert {str(case) for case in BROKEN} == set(FIRST_LINES)


def test_it_says_what_it_looked_at_and_what_not(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    site.document = snippet(site.settings)
    _, output = doctor(site, monkeypatch, capsys)
    assert output.splitlines()[-2].startswith("Looked at: the environment, your page (")
    assert output.splitlines()[-1] == "Not looked at: the upload: --uploaded FILE."


def test_strict_counts_what_was_not_looked_at_and_warnings(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    site.document = snippet(site.settings)
    assert doctor(site, monkeypatch, capsys, "--strict")[0] == 1
    site.upload(site.jwk)
    assert doctor(site, monkeypatch, capsys, "--strict")[0] == 0
    site.document = by_hand(site.settings, shutdown=False)
    assert doctor(site, monkeypatch, capsys)[0] == 0
    assert doctor(site, monkeypatch, capsys, "--strict")[0] == 1


def test_json_says_what_was_looked_at(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    site.document = snippet(site.settings)
    _, output = doctor(site, monkeypatch, capsys, "--json")
    assert json.loads(output)["not_looked_at"] == ["the upload: --uploaded FILE"]


def test_a_replaced_key_is_one_finding_with_both_ways_out(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    case = next(each for each in BROKEN_SITES if each.name == "another key uploaded")
    case.change(site)
    _, output = doctor(site, monkeypatch, capsys)
    assert output.count("✗") == 1
    assert site.environ["SALESFORCE_KEY_ID"] in output
    assert "restore the old key" in output
    assert "set SALESFORCE_KEY_ID=NEW" in output


FIXED_BY_ITS_COMMANDS = (
    *(
        "no x5c uploaded",
        "no alg uploaded",
        "x5c with PEM lines",
        "certificate of another key",
        "a certificate uploaded",
    ),
    *("an expired certificate", "a certificate of nine days", "UTF-16 uploaded"),
    *("an array uploaded", "x5c as a string", "another key uploaded"),
)


@pytest.mark.parametrize("name", FIXED_BY_ITS_COMMANDS)
def test_the_commands_of_a_fix_can_be_run_as_they_stand(
    name: str, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [case] = [each for each in BROKEN if each.name == name]
    case.change(site)
    monkeypatch.chdir(tmp_path)
    _, output = doctor(site, monkeypatch, capsys)
    fix = next(line for line in output.splitlines() if "→" in line)
    for command in re.findall(r"`fin-messenger-auth ([^`]+)`", fix):
        arguments, _, target = command.partition(" > ")
        assert main(shlex.split(arguments)) == 0
        (tmp_path / target).write_text(capsys.readouterr().out)
    site.environ |= dict(re.findall(r"set (SALESFORCE_KEY_ID)=(\w+)", fix))
    site.document, site.options = "", ["--issuer", ISSUER]
    page()(site)
    site.upload((tmp_path / "jwk.json").read_text())
    status, output = doctor(site, monkeypatch, capsys)
    assert (status, first_code(output)) == (0, ""), output


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("an older certificate uploaded", "→ Upload {directory}/jwk.json."),
        ("another key uploaded", f'the private key of kid "{OTHER_JWK["kid"]}"'),
        ("another key uploaded", f'which has the kid "{OTHER_JWK["kid"]}"; SALESFORCE_KEY_ID is "-Key1"'),
    ],
    ids=["the file", "the key", "both keys"],
)
def test_the_fix_names_the_file_and_the_key_of_the_upload(
    name: str, fix: str, site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [case] = [each for each in BROKEN if each.name == name]
    case.change(site)
    assert fix.format(directory=site.directory) in doctor(site, monkeypatch, capsys)[1]


def test_a_jwk_json_with_another_kid_is_made_again(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page()(site)
    site.environ["SALESFORCE_KEY_ID"] = "InUse"
    _, output = doctor(site, monkeypatch, capsys)
    assert f"--kid=InUse > {site.directory}/jwk.json`" in output


@pytest.mark.parametrize(
    ("headers", "codes"),
    [
        ({}, ["token-expired", "page-cached"]),
        ({"Cache-Control": "private, no-store"}, ["token-expired"]),
        ({"Age": "7000"}, ["page-cached"]),
        ({"Date": "Wed, 01 Nov 2023 00:00:00 GMT"}, ["page-cached"]),
        ({"Date": "yesterday"}, ["token-expired", "page-cached"]),
    ],
)
def test_a_cache_explains_an_expired_token_only_if_it_is_proven(headers: dict[str, str], codes: list[str]) -> None:
    document = Document(snippet(throwaway_builder().build_settings("42")), headers)
    found = check_page(document, Expected(user_id="42"), now=time.time() + 7200)
    assert list(dict.fromkeys(each.code for each in found if each.level is Level.ERROR)) == codes


@pytest.mark.parametrize("header", [{"Age": "321"}, {"Cache-Control": "public, max-age=600"}])
def test_an_anonymous_page_from_a_cache_names_the_cache(header: dict[str, str]) -> None:
    document = Document(snippet(throwaway_builder().build_settings(None)), header)
    [found] = check_page(document, Expected(user_id="42"))
    assert found.code == "page-anonymous"
    assert "keeps one copy for everybody" in found.message


def test_another_user_s_page_names_neither() -> None:
    document = Document(snippet(throwaway_builder().build_settings("user-4711")))
    found = check_page(document, Expected(user_id="user-4712"))
    assert "page-user-differs" in [each.code for each in found]
    assert "user-471" not in repr(found)


def test_a_clean_doctor_says_so_first(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page()(site)
    assert doctor(site, monkeypatch, capsys)[1].startswith("✓ Nothing wrong was found.")


@pytest.mark.filterwarnings("ignore::fin_messenger_auth.errors.FinMessengerAuthWarning")
def test_a_fix_is_a_whole_setting(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kid = site.environ["SALESFORCE_KEY_ID"]
    for changed, setting in (
        ({"SALESFORCE_AUDIENCE": "https://acme.my.salesforce.com"}, "https://acme.my.salesforce-scrt.com,"),
        ({"SALESFORCE_AUDIENCE": "acme.my.salesforce-scrt.com"}, "https://acme.my.salesforce-scrt.com,"),
        ({"SALESFORCE_ISSUER": f"{ISSUER}/"}, f"Set SALESFORCE_ISSUER={ISSUER},"),
        ({"SALESFORCE_KEY_ID": "WebAppKey1"}, f"Set SALESFORCE_KEY_ID={kid},"),
    ):
        healthy = dict(site.environ)
        site.environ.update(changed)
        page()(site)
        assert setting in doctor(site, monkeypatch, capsys)[1]
        site.environ = healthy


def test_fin_ai_gives_the_advice_on_fin_and_nothing_else(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    next(each for each in BROKEN_SITES if each.name == "issuer fin.ai").change(site)
    _, output = doctor(site, monkeypatch, capsys)
    assert "salesforce-issuer-differs" not in output
    assert "SALESFORCE_IDENTITY=fin-managed" in output


class _Shop(BaseHTTPRequestHandler):
    """A site that signs in whoever has its cookie."""

    answers: ClassVar[dict[str, tuple[int, dict[str, str], str]]] = {}
    seen: ClassVar[list[dict[str, str]]] = []

    def do_GET(self) -> None:
        self.seen.append(dict(self.headers))
        path = self.path if "session=ada" in self.headers.get("Cookie", "") else f"{self.path}?anonymous"
        status, headers, body = self.answers.get(path, (404, {}, ""))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def shop() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Shop)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    _Shop.seen.clear()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_it_fetches_a_page_of_the_running_site(
    shop: str, site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    private = {"Cache-Control": "private, no-store"}
    _Shop.answers = {
        "/": (302, {"Location": "/home"}, ""),
        "/home": (200, private, snippet(site.settings)),
        "/away": (302, {"Location": "http://localhost:1/"}, ""),
        "/cached": (200, {"Cache-Control": "max-age=60"}, snippet(site.settings)),
        "/home?anonymous": (200, {}, snippet(site.builder.build_settings(None))),
    }
    for name, value in site.environ.items():
        monkeypatch.setenv(name, value)
    cookie = ("--cookie", "session=ada", "--header", "X-Test: 1")

    def codes(path: str, *words: str) -> str:
        main(["doctor", *site.options, "--page", shop + path, *words])
        return first_code(capsys.readouterr().out)

    assert codes("/", *cookie, "--user", "42") == ""
    assert _Shop.seen[0]["X-Test"] == "1"
    assert codes("/cached", *cookie) == "page-cached"
    assert codes("/home", "--user", "42") == "page-anonymous"
    assert codes("/home", "--user", "") == ""
    assert codes("/away", *cookie) == "page-settings-missing"


@pytest.mark.parametrize("url", ["http://example.com/", "ftp://127.0.0.1/", "https://"])
def test_no_page_is_fetched_without_tls_from_elsewhere(
    url: str, site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in site.environ.items():
        monkeypatch.setenv(name, value)
    assert main(["doctor", "--page", url]) == 1
    assert "cannot be fetched" in capsys.readouterr().err


WINDOW = "window.intercomSettings"
NONCE = "bm9uY2Utb2YtMTYtYnl0ZXM"


def policy_codes(policy: str, document: str) -> list[str]:
    headers = {"Content-Security-Policy": policy, "Cache-Control": "no-store"}
    found = check_page(Document(document, headers), Expected(secret=SECRET.encode()))
    return [each.code for each in found if each.code.startswith("page-")]


def test_a_policy_is_held_to_the_script_and_to_the_hosts(site: Site) -> None:
    made = render_snippet(site.settings, nonce=NONCE)
    assert policy_codes(strict_policy(NONCE), made) == []
    assert policy_codes(strict_policy("YW5vdGhlci1ub25jZS1lbnRpcmVseQ"), made) == ["page-csp"]
    assert policy_codes("script-src 'self'", made) == ["page-csp"]
    assert policy_codes(f"script-src 'nonce-{NONCE}' 'strict-dynamic'; connect-src 'self'", made) == ["page-csp"]
    assert policy_codes(f"script-src 'nonce-{NONCE}'", made) == ["page-csp"]  # the widget's host is missing
    plain = render_snippet(site.settings)
    assert policy_codes(f"script-src {plain.csp_source} 'strict-dynamic'", plain) == []
    assert policy_codes("default-src https: wss: 'unsafe-inline'", made) == []
    assert policy_codes("img-src 'self'", made) == []


def test_a_policy_in_the_page_counts_too(site: Site) -> None:
    meta = "<meta http-equiv='Content-Security-Policy' content=\"script-src 'none'\">"
    assert policy_codes("img-src 'self'", meta + render_snippet(site.settings)) == ["page-csp"]


def test_a_directory_without_a_certificate_is_no_newer_upload(site: Site) -> None:
    jwk = json.dumps(site.jwk).encode()
    (site.directory / "certificate.pem").unlink()
    assert check_upload(jwk, key_directory=site.directory) == []
