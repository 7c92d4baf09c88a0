"""The doctor looks at pages and uploads: its first line names the one thing to do."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from fin_messenger_auth import render_snippet
from fin_messenger_auth._environment import ALL_VARIABLES
from fin_messenger_auth._keys import FileKeySource
from fin_messenger_auth._signers import RSASigner
from fin_messenger_auth.cli import main
from fin_messenger_auth.diagnosis import (
    CATALOGUE,
    Document,
    Expected,
    Level,
    check_page,
    check_upload,
    run_checks,
)
from fin_messenger_auth.onboarding import certificate_pem, make_jwk, make_key_directory, self_signed_certificate
from fin_messenger_auth.page import render_renewal, strict_policy
from fin_messenger_auth.testing import decode_token, throwaway_builder
from fin_messenger_auth.testing._throwaway import pem_of
from tests.broken_pages import BROKEN_PAGES, HEALTHY_PAGES
from tests.broken_setups import OTHER_CERTIFICATE, OTHER_JWK, Setup
from tests.broken_sites import (
    BROKEN_SITES,
    HEALTHY_SITES,
    MUST_NOT_BE_PRINTED,
    TOKENS,
    Site,
    SiteCase,
    by_hand,
    page,
    snippet,
)
from tests.broken_tokens import ISSUER, OTHER_KEY, SECRET, signed
from tests.more_sites import JWK_FILE, MORE_BROKEN, MORE_HEALTHY
from tests.more_sites import LOCAL as MORE_LOCAL

pytestmark = pytest.mark.usefixtures("read_here")

BROKEN = [*BROKEN_SITES, *BROKEN_PAGES, *MORE_BROKEN]
HEALTHY = [*HEALTHY_SITES, *HEALTHY_PAGES, *MORE_HEALTHY]

KID = "-Key1"  # one thumbprint in 64 begins with a hyphen, too


@pytest.fixture(scope="session")
def made_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_key_directory(tmp_path_factory.mktemp("keygen") / "keys", kid=KID).path


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
    for name in (*ALL_VARIABLES, *site.environ):
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
    line = next(line for line in output.splitlines() if line[:1] in ("✗", "!"))
    for changing, instead in (
        (KID, "KID"),
        (OTHER_JWK["kid"], "OTHER"),
        (KID.swapcase(), "kID"),
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
    assert len(BROKEN) >= 120 + 60
    assert len(HEALTHY) >= 40 + 20
    assert len({str(case) for case in (*BROKEN, *HEALTHY)}) == len(BROKEN) + len(HEALTHY)
    assert {case.code for case in BROKEN} <= set(CATALOGUE)
    assert {str(case) for case in BROKEN} == set(FIRST_LINES)


def test_it_says_what_it_looked_at_and_what_not(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    site.document = snippet(site.settings)
    _, output = doctor(site, monkeypatch, capsys)
    assert output.splitlines()[-2].startswith("Looked at: the environment, your page (")
    secret = "the workspace's secret: --secret-file FILE"
    assert output.splitlines()[-1] == f"Not looked at: {secret}; the upload: --uploaded FILE."


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
    secret = "the workspace's secret: --secret-file FILE"
    assert json.loads(output)["not_looked_at"] == [secret, "the upload: --uploaded FILE"]


def test_a_replaced_key_is_one_finding_with_both_ways_out(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    case = next(each for each in BROKEN_SITES if each.name == "another key uploaded")
    case.change(site)
    _, output = doctor(site, monkeypatch, capsys)
    assert output.count("✗") == 1
    assert site.environ["SALESFORCE_KEY_ID"] in output
    assert "restore the old key" in output
    assert f"set `SALESFORCE_KEY_ID={site.environ['SALESFORCE_KEY_ID']}`" in output


def follow(fix: str, site: Site, directory: Path) -> None:
    """Do what a fix says, to the letter: run its commands in a shell, and set its variables."""
    environ = {**os.environ, **site.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for step in re.findall("`([^`]+)`", fix):
        setting = re.fullmatch(r"([A-Z_]+)=(.*)", step)
        if setting:
            site.environ[setting[1]] = shlex.split(setting[2])[0]
        elif step.startswith("unset "):
            for name in step.split()[1:]:
                site.environ[name] = ""
        else:
            subprocess.run(step, shell=True, cwd=directory, env=environ, check=True, capture_output=True)


FIXED_TO_THE_LETTER = (
    *("no x5c uploaded", "no alg uploaded", "x5c with PEM lines", "certificate of another key"),
    *("an expired certificate", "a certificate of nine days", "UTF-16 uploaded", "a certificate uploaded"),
    *("an array uploaded", "x5c as a string", "issuer fin.ai"),
)


@pytest.mark.parametrize("name", FIXED_TO_THE_LETTER)
def test_a_fix_that_is_followed_to_the_letter_makes_the_same_command_green(
    name: str, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [case] = [each for each in BROKEN if each.name == name]
    case.change(site)
    _, output = doctor(site, monkeypatch, capsys)
    follow(next(line for line in output.splitlines() if "→" in line), site, tmp_path)
    if "page" in name or name == "issuer fin.ai":
        site.document = snippet({key: value for key, value in site.settings.items() if key != TOKENS[1]})
    status, output = doctor(site, monkeypatch, capsys)
    assert (status, first_code(output)) == (0, ""), output


def make_old(site: Site) -> None:
    signer = RSASigner(FileKeySource(site.directory / "private-key.pem"))
    old = datetime.now(UTC) - timedelta(days=20)
    made = self_signed_certificate(signer, signer.public_key, days=21, now=old)
    (site.directory / "certificate.pem").write_bytes(certificate_pem(made))


def half_renewed(site: Site) -> None:
    signer = RSASigner(FileKeySource(site.directory / "private-key.pem"))
    made = self_signed_certificate(signer, signer.public_key, days=300)
    (site.directory / "certificate.pem").write_bytes(certificate_pem(made))


def other_key(site: Site) -> None:
    path = site.directory.parent / "other key.pem"
    path.write_bytes(pem_of(OTHER_KEY))
    path.chmod(0o600)
    site.environ["SALESFORCE_PRIVATE_KEY_FILE"] = str(path)


def open_secret(site: Site) -> None:
    path = site.directory.parent / "a secret"
    path.write_text(SECRET)
    path.chmod(0o644)
    site.environ |= {"INTERCOM_MESSENGER_SECRET": "", "INTERCOM_MESSENGER_SECRET_FILE": str(path)}


def key_in_both(site: Site) -> None:
    site.environ["SALESFORCE_PRIVATE_KEY"] = (site.directory / "private-key.pem").read_text()


def older_upload(site: Site) -> None:
    site.upload(site.jwk)
    signer = RSASigner(FileKeySource(site.directory / "private-key.pem"))
    made = self_signed_certificate(signer, signer.public_key, days=900)
    jwk = make_jwk(signer.public_key, made, kid=site.jwk["kid"])
    (site.directory / "certificate.pem").write_bytes(certificate_pem(made))
    (site.directory / "jwk.json").write_text(json.dumps(jwk))
    (site.directory / "jwks.json").write_text(json.dumps({"keys": [jwk]}))


def other_secret(site: Site) -> None:
    path = site.directory.parent / "of the workspace"
    path.write_text(SECRET)
    path.chmod(0o600)
    site.environ["INTERCOM_MESSENGER_SECRET"] = SECRET[::-1]
    site.options += ["--secret-file", str(path)]


LOCAL: dict[str, Callable[[Site], object]] = {
    "an open secret": open_secret,
    "a key in a variable and in a file": key_in_both,
    "an older upload": older_upload,
    "another secret": other_secret,
    "a password that is not needed": lambda site: site.environ.update(SALESFORCE_PRIVATE_KEY_PASSWORD="x"),
    "a short lifetime": lambda site: site.environ.update(SALESFORCE_TOKEN_LIFETIME="60"),
    "a path to nowhere": lambda site: site.environ.update(SALESFORCE_PRIVATE_KEY_FILE="/nowhere/private-key.pem"),
    "a kid with a newline": lambda site: site.environ.update(SALESFORCE_KEY_ID=f"{site.jwk['kid']}\n"),
    "an app ID in quotes": lambda site: site.environ.update(INTERCOM_APP_ID="'abc'"),
    "no issuer": lambda site: site.environ.update(SALESFORCE_ISSUER=""),
    "kid": lambda site: site.environ.update(SALESFORCE_KEY_ID="WebAppKey1"),
    "issuer": lambda site: site.environ.update(SALESFORCE_ISSUER=f"{ISSUER}/"),
    "audience": lambda site: site.environ.update(SALESFORCE_AUDIENCE="https://acme--uat.sandbox.my.salesforce.com/x"),
    "quotes": lambda site: site.environ.update(SALESFORCE_ISSUER=f'"{ISSUER}"'),
    "a lifetime": lambda site: site.environ.update(INTERCOM_TOKEN_LIFETIME="1h"),
    "no kid": lambda site: site.environ.update(SALESFORCE_KEY_ID=""),
    "an open file": lambda site: (site.directory / "private-key.pem").chmod(0o644),
    "no jwk.json": lambda site: (site.directory / "jwk.json").unlink(),
    "a damaged certificate": lambda site: (site.directory / "certificate.pem").write_text("rubbish"),
    "a foreign certificate": lambda site: (site.directory / "certificate.pem").write_bytes(
        certificate_pem(OTHER_CERTIFICATE)
    ),
    "an expired certificate": make_old,
    "half a renewal": half_renewed,
    "another private key": other_key,
    **{name: change for name, (_, change) in MORE_LOCAL.items()},
}


@pytest.mark.parametrize("name", LOCAL)
def test_a_fix_of_a_set_up_makes_the_same_command_green(
    name: str, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page()(site)
    LOCAL[name](site)
    _, output = doctor(site, monkeypatch, capsys)
    assert first_code(output)
    follow(next(line for line in output.splitlines() if "→" in line), site, tmp_path)
    site.document = ""
    page()(site)
    status, output = doctor(site, monkeypatch, capsys)
    assert (status, first_code(output)) == (0, ""), output


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("an older certificate uploaded", "→ Upload the newer one: `cp {directory}/jwk.json"),
        ("another key uploaded", f'the private key of kid "{OTHER_JWK["kid"]}"'),
        ("another key uploaded", f'which has the kid "{OTHER_JWK["kid"]}"; this environment\'s is "-Key1"'),
    ],
    ids=["the file", "the key", "both keys"],
)
def test_the_fix_names_the_file_and_the_key_of_the_upload(
    name: str, fix: str, site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [case] = [each for each in BROKEN if each.name == name]
    case.change(site)
    assert fix.format(directory=site.directory) in doctor(site, monkeypatch, capsys)[1]


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("a signer without its hyphens", "Set `SALESFORCE_SIGNER=azure-key-vault`, if that is meant."),
        ("variables with a prefix that was not given", "Give the prefix of the variables: `--prefix SHOP_`."),
        (
            "the certificate of the directory uploaded",
            "give `--uploaded {directory}/jwk.json` in its place, and upload",
        ),
        ("a JWK in place of its directory", "Give the directory that it is in, or"),
    ],
)
def test_a_fix_names_what_was_meant(
    name: str, fix: str, site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [case] = [each for each in BROKEN if each.name == name]
    case.change(site)
    assert fix.format(directory=site.directory) in doctor(site, monkeypatch, capsys)[1]


def test_a_file_is_not_named_in_place_of_itself(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(site.directory.parent)
    site.options[0] = "keys"
    JWK_FILE(site)
    site.environ.update(SALESFORCE_PRIVATE_KEY_FILE="keys/private-key.pem", SALESFORCE_JWK_FILE="keys/jwk.json")
    page()(site)
    jwk = json.dumps({**site.jwk, "alg": "RS384"})
    (site.directory / "jwk.json").write_text(jwk)
    _, output = doctor(site, monkeypatch, capsys)
    assert "mv new.json keys/jwk.json" in output
    assert "Set `SALESFORCE_JWK_FILE" not in output
    site.environ["SALESFORCE_PRIVATE_KEY_PASSWORD"] = "password"
    assert "Set `SALESFORCE_PRIVATE_KEY_FILE" not in doctor(site, monkeypatch, capsys)[1]


def test_a_jwk_json_with_another_kid_may_not_be_what_was_uploaded(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page()(site)
    site.environ["SALESFORCE_KEY_ID"] = "InUse"
    _, output = doctor(site, monkeypatch, capsys)
    kid = site.jwk["kid"]
    assert f"→ Set `SALESFORCE_KEY_ID={kid}`, character by character. If {site.directory}/jwk.json is not" in output


@pytest.mark.parametrize(
    ("headers", "codes"),
    [
        ({}, ["token-expired", "page-cached"]),
        ({"Cache-Control": "private, no-store"}, ["token-expired"]),
        ({"Age": "7000"}, ["page-cached"]),
    ],
)
def test_a_cache_explains_an_expired_token_only_if_it_is_proven(headers: dict[str, str], codes: list[str]) -> None:
    document = Document(snippet(throwaway_builder().build_settings("42")), headers)
    found = check_page(document, Expected(user_id="42"), now=time.time() + 7200)
    assert list(dict.fromkeys(each.code for each in found if each.level is Level.ERROR)) == codes


@pytest.mark.parametrize(
    ("headers", "fix"),
    [
        ({}, "Send the header `Cache-Control: private, no-store`"),
        ({"Age": "60", "Cache-Control": "no-store"}, "The page forbids it already: take it out of the rule"),
        (
            {"Surrogate-Control": "max-age=9", "Cache-Control": "no-store"},
            "Send `surrogate-control: no-store` with every page",
        ),
    ],
)
def test_the_fix_for_a_cache_is_not_what_the_page_sends_already(headers: dict[str, str], fix: str) -> None:
    found = check_page(Document(snippet(throwaway_builder().build_settings("42")), headers), Expected(user_id="42"))
    [cached] = [each for each in found if each.code == "page-cached"]
    assert cached.fix.startswith(fix)


def test_an_anonymous_page_in_good_health_proves_nothing_of_signed_in_users(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    site.document = snippet(site.builder.build_settings(None))
    output = doctor(site, monkeypatch, capsys, "--user", "")[1]
    assert output.startswith("✓ Nothing wrong was found on the page of an anonymous visitor.")
    assert "the page of a signed-in user: --cookie NAME=VALUE and --user ID" in output.splitlines()[-1]


def test_the_secret_is_never_printed_wherever_it_is(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = site.settings
    claims = {**decode_token(settings[TOKENS[0]]).claims, "note": SECRET}
    token = signed({"alg": "HS256"}, claims, SECRET.encode())
    site.document = snippet({**settings, "app_id": SECRET, TOKENS[0]: token})
    output = doctor(site, monkeypatch, capsys)[1]
    assert first_code(output) == "page-secret"
    assert 'got "the Messenger API Secret"' in output
    main(["inspect", token, "--env"])
    inspected = capsys.readouterr().out
    assert "page-secret" in inspected
    assert SECRET not in output + inspected


def test_an_anonymous_page_from_a_cache_names_the_cache() -> None:
    document = Document(snippet(throwaway_builder().build_settings(None)), {"Age": "321"})
    [found] = check_page(document, Expected(user_id="42"))
    assert found.code == "page-anonymous"
    assert "keeps one copy for everybody" in found.message


def test_somebody_else_s_page_from_a_cache_is_the_cache_s_fault() -> None:
    document = Document(snippet(throwaway_builder().build_settings("43")), {"Age": "60", "Cache-Control": "no-store"})
    found = [each for each in check_page(document, Expected(user_id="42")) if each.level is Level.ERROR]
    assert [each.code for each in found] == ["page-cached"]
    assert "another user's" in found[0].message


def test_the_secret_of_the_workspace_may_be_given_itself(site: Site) -> None:
    found = run_checks(site.environ, secret=SECRET[::-1].encode())
    assert found[0].code == "intercom-signature"
    assert "Settings > Messenger > Security" in found[0].fix


def test_an_upload_is_not_replaced_by_a_directory_that_is_broken_itself(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page()(site)
    site.upload({**site.jwk, "x5c": []})
    (site.directory / "certificate.pem").write_text("rubbish")
    assert "`cp " not in doctor(site, monkeypatch, capsys)[1]


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
        (
            {"SALESFORCE_AUDIENCE": "https://acme.my.salesforce.com"},
            "`SALESFORCE_AUDIENCE=https://acme.my.salesforce-scrt.com`",
        ),
        (
            {"SALESFORCE_AUDIENCE": "acme.my.salesforce-scrt.com"},
            "`SALESFORCE_AUDIENCE=https://acme.my.salesforce-scrt.com`",
        ),
        ({"SALESFORCE_ISSUER": f"{ISSUER}/"}, f"Set `SALESFORCE_ISSUER={ISSUER}`,"),
        ({"SALESFORCE_KEY_ID": "WebAppKey1"}, f"Set `SALESFORCE_KEY_ID={kid}`,"),
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
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
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
    cookie = ("--cookie", "Cookie: session=ada", "--header", "X-Test: 1")

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
    output = capsys.readouterr().out
    assert first_code(output) == "page-unreachable"
    assert "✗ page: The page cannot be fetched: it must start with https://" in output
    assert "✓" not in output
    assert "unknown-secret" in output  # the rest is looked at all the same


class TestBesideThePage:
    """Its renewal script, that script's endpoint, and the same address without the cookie."""

    PRIVATE: ClassVar[dict[str, str]] = {"Cache-Control": "private, no-store"}
    MODULE: ClassVar[dict[str, str]] = {"Content-Type": "text/javascript"}

    def look(
        self, shop: str, site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], **changed: Any
    ) -> str:
        text = snippet(site.settings).replace("</body>", f"{render_renewal('/m/fin-messenger-auth.js', '/s')}</body>")
        _Shop.answers = {
            "/": (200, self.PRIVATE, text),
            "/m/fin-messenger-auth.js": (200, self.MODULE, ""),
            "/s": (200, self.PRIVATE, json.dumps(site.settings)),
            "/?anonymous": (200, {}, snippet(site.builder.build_settings(None))),
            **{f"/{path}": answer for path, answer in changed.items()},
        }
        for name, value in site.environ.items():
            monkeypatch.setenv(name, value)
        main(["doctor", *site.options, "--page", f"{shop}/", "--cookie", "session=ada", "--user", "42"])
        return capsys.readouterr().out

    def test_all_is_looked_at_and_said(
        self, shop: str, site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        output = self.look(shop, site, monkeypatch, capsys)
        assert first_code(output) == "", output
        assert f"its renewal script ({shop}/m/fin-messenger-auth.js), its settings endpoint ({shop}/s)" in output
        assert f"the page without the cookie ({shop}/)" in output
        assert [each["Cookie"] for each in _Shop.seen if "Cookie" in each] == ["session=ada"] * 3
        assert [each.get("X-Fin-Messenger") for each in _Shop.seen].count("1") == 1, "the endpoint alone is asked so"
        assert "In the answer of the settings endpoint" not in output

    @pytest.mark.parametrize(
        ("changed", "line"),
        [
            (
                {"m/fin-messenger-auth.js": (404, {}, "")},
                '✗ page: The page loads its renewal script from "/m/fin-messenger-auth.js": it is answered with',
            ),
            (
                {"s": (401, {}, "")},
                '✗ page: In the answer of the settings endpoint, "/s": The page passes no settings',
            ),
            (
                {"s": (200, {}, "{}")},
                '✗ page: In the answer of the settings endpoint, "/s": The page passes no settings',
            ),
        ],
        ids=["no script", "no session", "no settings"],
    )
    def test_what_does_not_work_is_named(
        self,
        changed: dict[str, Any],
        line: str,
        shop: str,
        site: Site,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        assert line in self.look(shop, site, monkeypatch, capsys, **changed)

    def test_the_endpoint_s_answer_may_be_kept_or_another_user_s(
        self, shop: str, site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        kept = self.look(shop, site, monkeypatch, capsys, s=(200, {}, json.dumps(site.settings)))
        assert first_code(kept) == "page-cached"
        other = json.dumps(site.builder.build_settings("43"))
        assert (
            first_code(self.look(shop, site, monkeypatch, capsys, s=(200, self.PRIVATE, other))) == "page-user-differs"
        )

    def test_a_fault_of_both_is_said_once(
        self, shop: str, site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        other = site.builder.build_settings("43")
        text = snippet(other).replace("</body>", f"{render_renewal('/m/fin-messenger-auth.js', '/s')}</body>")
        changed = {"": (200, self.PRIVATE, text), "s": (200, self.PRIVATE, json.dumps(other))}
        output = self.look(shop, site, monkeypatch, capsys, **changed)
        assert output.count("page-user-differs") == 1

    def test_other_modules_and_requests_are_left_alone(
        self, shop: str, site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        scripts = "<script type=module>import '/other.js'; fetch('/data')</script></body>"
        answer = (200, self.PRIVATE, snippet(site.settings).replace("</body>", scripts))
        output = self.look(shop, site, monkeypatch, capsys, **{"": answer})
        assert "its settings endpoint" not in output
        assert "its renewal script" not in output
        assert len(_Shop.seen) == 2

    def test_a_session_that_has_ended_is_named_with_the_way_it_went(
        self, shop: str, site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        moved = (302, {"Location": "/login?next=x"}, "")
        login: tuple[int, dict[str, str], str] = (200, {}, "<form><input type=password></form>")
        output = self.look(shop, site, monkeypatch, capsys, **{"": moved, "login?next=x": login})
        assert '✗ page: The page passes no settings to the Messenger: it redirects to "/login".' in output
        assert "give the cookie of a signed-in session" in output

    def test_a_cache_that_hands_the_page_on_is_found(
        self, shop: str, site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        answer = (200, self.PRIVATE, snippet(site.settings))
        output = self.look(shop, site, monkeypatch, capsys, **{"?anonymous": answer})
        assert "Asked for without the cookie" in output
        assert first_code(output) == "page-cached"

    def test_a_script_is_in_a_page_by_its_code(self) -> None:
        script = Document("", {}, 500, asked="https://a.example/m.js", role="script")
        found = check_page(Document(snippet(throwaway_builder().build_settings("42")), others=(script,)))
        assert "page-script" in [each.code for each in found]


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
    open_to_all = "script-src * 'UNSAFE-INLINE'"
    assert policy_codes(f"{open_to_all}; script-src 'none'", made) == []
    assert policy_codes(f"script-src 'self'; {open_to_all}", made) == ["page-csp"]
    assert policy_codes(f"sandbox; {open_to_all}", made) == ["page-csp"]
    assert policy_codes(f"SANDBOX allow-scripts; {open_to_all}", made) == []
    assert policy_codes("script-src 'unsafe-inline' http:; connect-src HTTP: ws:", made) == []
    assert policy_codes("require-trusted-types-for 'script'", by_hand(site.settings)) == ["page-csp"]


def test_a_policy_in_the_page_counts_too(site: Site) -> None:
    meta = "<meta http-equiv='Content-Security-Policy' content=\"script-src 'none'\">"
    assert policy_codes("img-src 'self'", f"<body>{meta}{render_snippet(site.settings)}") == []
    assert policy_codes("img-src 'self'", meta + render_snippet(site.settings)) == ["page-csp"]


def test_a_directory_without_a_certificate_is_no_newer_upload(site: Site) -> None:
    jwk = json.dumps(site.jwk).encode()
    (site.directory / "certificate.pem").unlink()
    assert check_upload(jwk, key_directory=site.directory) == []


def test_a_set_up_without_a_page_is_compared_and_a_value_in_a_file_is_written_alone(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = site.directory.parent / "kid"
    path.write_text(KID)
    site.environ |= {"SALESFORCE_KEY_ID": "", "SALESFORCE_KEY_ID_FILE": str(path)}
    for name, value in site.environ.items():
        monkeypatch.setenv(name, value)
    assert main(["doctor", *site.options]) == 0
    assert f"Compared: the keys of {site.directory} with the environment, the issuer" in capsys.readouterr().out
    path.write_text(f"'{KID}'")
    assert main(["doctor", *site.options]) == 1
    assert f"→ Write the value alone to the file: `printf %s VALUE > {path}`." in capsys.readouterr().out
