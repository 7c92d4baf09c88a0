"""The tutorial, step by step, as a reader follows it."""

from __future__ import annotations

import re
import runpy
import shlex
from pathlib import Path

import pytest

from fin_messenger_auth._environment import ALL_VARIABLES
from fin_messenger_auth.cli import main
from fin_messenger_auth.diagnosis import Expected, read_verifying_keys
from fin_messenger_auth.errors import ConfigurationError
from fin_messenger_auth.sandbox import Verdict, sandbox_from_env
from fin_messenger_auth.testing import settings_in

TUTORIAL = Path(__file__).parents[1] / "docs" / "start"
TEXT = (TUTORIAL / "tutorial.md").read_text(encoding="utf-8")
COMMANDS = [line.removeprefix("$ ") for line in TEXT.splitlines() if line.startswith("$ ")]


@pytest.fixture(autouse=True)
def reader(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The directory and the environment of a reader who has followed the first three steps."""
    monkeypatch.chdir(tmp_path)
    for name in ALL_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for variable in COMMANDS:
        if match := re.fullmatch(r"export (\w+)=(\S+)", variable):
            monkeypatch.setenv(*match.groups())
    run("keygen")
    capsys.readouterr()


def run(command: str, *, last: bool = False) -> int:
    lines = [line for line in COMMANDS if line.startswith(f"fin-messenger-auth {command}")]
    return main(shlex.split(lines[-1 if last else 0])[1:])


ISSUER, MISTYPED = (
    line.partition("--issuer ")[2] for line in COMMANDS if line.startswith("fin-messenger-auth sandbox")
)


def verdicts(issuer: str) -> list[Verdict]:
    """What the sandbox says of the site's page: before the sign-in, after it, and after the sign-out."""
    client = runpy.run_path(str(TUTORIAL / "shop.py"))["app"].test_client()
    keys = read_verifying_keys(Path("keys/jwk.json").read_bytes())
    sandbox = sandbox_from_env(given=Expected(keys=keys, issuer=issuer))
    pages = [client.get("/")]
    for button in re.findall(r'action="(.+?)"', pages[0].text):
        client.post(button)
        pages.append(client.get("/"))
    return [sandbox.verdict(settings_in(page.text)) for page in pages]


def test_the_doctor_says_what_the_tutorial_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("doctor") == 0
    [expected] = re.findall(r"near the end it says `(.+)`", TEXT)
    assert f"\n{expected}\n" in capsys.readouterr().out
    assert run("doctor", last=True) == 1  # with the issuer as it was mistyped in Salesforce
    assert "only a final slash differs" in capsys.readouterr().out


def test_a_visitor_is_verified_from_the_sign_in_to_the_sign_out() -> None:
    before, between, after = verdicts(ISSUER)

    assert (between.intercom, between.salesforce) == ("Verified as 42", "Verified as 42")
    assert before.salesforce == after.salesforce == "Guest: an anonymous visitor"


def test_a_wrong_key_id_stops_the_start_and_makes_a_guest_without_the_jwk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALESFORCE_KEY_ID", "WebAppKey2")
    with pytest.raises(ConfigurationError, match="'WebAppKey2', and the kid in SALESFORCE_JWK_FILE is 'WebAppKey1'"):
        verdicts(ISSUER)

    monkeypatch.delenv("SALESFORCE_JWK_FILE")
    assert verdicts(ISSUER)[1].salesforce.startswith("Guest: ")


def test_a_slash_makes_a_guest_and_the_doctor_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert verdicts(MISTYPED)[1].salesforce.startswith("Guest: ")
    assert main(["doctor", "keys", "--uploaded", "keys/jwk.json", "--issuer", MISTYPED]) == 1
    answer = capsys.readouterr().out.partition("\n")[0].removeprefix("✗ issuer: ").removesuffix(".")
    assert f"The doctor's answer: {answer}]" in TEXT
