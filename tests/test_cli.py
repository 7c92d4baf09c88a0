"""The commands, as a person runs them."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import importlib
import io
import json
import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from fin_messenger_auth.cli import main
from fin_messenger_auth.testing import throwaway_secret, verify

FIN_MANAGED = {
    "INTERCOM_APP_ID": "abc",
    "INTERCOM_MESSENGER_SECRET": throwaway_secret(),
    "SALESFORCE_IDENTITY": "fin-managed",
}


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("INTERCOM_", "SALESFORCE_")):
            monkeypatch.delenv(name)
    for name, value in FIN_MANAGED.items():
        monkeypatch.setenv(name, value)


def test_demo_shows_the_whole_job(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo"]) == 0

    shown = capsys.readouterr().out
    assert shown.count("✓ verified by joserfc") == 2
    for told in ("window.intercomSettings", '"alg": "HS256"', '"alg": "RS256"', '"user_id": "42"', '"trial": false'):
        assert told in shown
    anonymous = json.loads(shown.split("anonymous visitor")[1].partition("\n")[2].partition("\n\n")[0])
    assert anonymous.keys() == {"api_base", "app_id", "hide_default_launcher"}
    assert not re.search(r"eyJ[\w-]+\.[\w-]+\.[\w-]+", shown), "a whole token is shown"


@pytest.mark.usefixtures("configured")
def test_settings_prints_json_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    attributes = ["plan=pro", "trial=false", "seats=3", 'code="007"', "note=a=b", "empty="]

    status = main(["settings", "--user", "42", *(word for each in attributes for word in ("--attribute", each))])

    captured = capsys.readouterr()
    decoded = verify(json.loads(captured.out))
    assert status == 0
    assert captured.err == ""
    assert decoded.intercom is not None
    assert {**decoded.intercom.claims, "exp": 0} == {
        "user_id": "42",
        "exp": 0,
        "plan": "pro",
        "trial": False,
        "seats": 3,
        "code": "007",
        "note": "a=b",
        "empty": "",
    }


@pytest.mark.usefixtures("configured")
def test_a_mistake_is_one_sentence_on_stderr(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERCOM_MESSENGER_SECRET", "hunter2")

    assert main(["settings", "--user", "42"]) == 1

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(
        "fin-messenger-auth: INTERCOM_MESSENGER_SECRET: The Messenger API Secret has 7 bytes"
    )
    assert captured.err.count("\n") == 1


@pytest.mark.usefixtures("configured")
def test_a_warning_is_one_sentence_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settings", "--user", "ada@example.com"]) == 0

    captured = capsys.readouterr()
    verify(json.loads(captured.out))
    assert captured.err.startswith("fin-messenger-auth: warning: The user_id is an e-mail address")
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [[], ["settings"], ["unknown"], ["settings", "--user", "42", "--attribute", "plan"]]
)
def test_wrong_usage_leaves_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: fin-messenger-auth" in capsys.readouterr().err


def test_an_attribute_of_brackets_only_is_a_text(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["settings", "--attribute", "a=" + "[" * 100_000])
    assert "--user" in capsys.readouterr().err


def run_into(target: str, *, encoding: str = "utf-8") -> subprocess.CompletedProcess[str]:
    command = f"{sys.executable} -m fin_messenger_auth demo {target}"
    environ = os.environ | {"PYTHONIOENCODING": encoding}
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, env=environ)


def test_a_reader_that_goes_away_and_a_full_disk_leave_no_traceback() -> None:
    assert run_into("| true").stderr == ""
    full = run_into("> /dev/full")
    assert (full.returncode, full.stderr) == (1, "fin-messenger-auth: No space left on device\n")


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (KeyboardInterrupt(), 130, ""),
        (BrokenPipeError(), 1, ""),
        (OSError(28, "No space left on device"), 1, "fin-messenger-auth: No space left on device\n"),
    ],
)
def test_what_ends_a_command_early_leaves_no_traceback(
    error: BaseException,
    status: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def ended(_arguments: object) -> int:
        raise error

    monkeypatch.setattr("fin_messenger_auth.commands.run_demo.run", ended)
    assert main(["demo"]) == status
    assert capfd.readouterr().err == said


def test_the_output_can_be_caught_in_memory() -> None:
    with contextlib.redirect_stdout(io.StringIO()) as caught:
        assert main(["demo"]) == 0
    assert "✓ verified" in caught.getvalue()


def test_a_terminal_without_the_mark_shows_the_rest() -> None:
    shown = run_into("", encoding="ascii")

    assert shown.returncode == 0
    assert "? verified by joserfc" in shown.stdout


def test_the_module_runs_the_same_parser(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["fin-messenger-auth", "--version"])
    with pytest.raises(SystemExit) as caught:
        importlib.import_module("fin_messenger_auth.__main__")
    assert caught.value.code == 0
    assert "fin-messenger-auth" in capsys.readouterr().out


def test_assets_writes_the_module_and_prints_its_hash(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["assets", str(tmp_path / "js")]) == 0
    module = (tmp_path / "js" / "fin-messenger-auth.js").read_bytes()
    assert (tmp_path / "js" / "fin-messenger-auth.d.ts").is_file()
    digest = base64.b64encode(hashlib.sha384(module).digest()).decode()
    assert capsys.readouterr().out == f"sha384-{digest}\n"


def test_an_upload_that_cannot_be_read_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--uploaded", "/nowhere/at/all.json"]) == 1
    assert "'/nowhere/at/all.json' cannot be read: No such file or directory." in capsys.readouterr().err


def test_the_module_and_the_script_are_the_same_program() -> None:
    script = str(Path(sys.executable).with_name("fin-messenger-auth"))
    for command in ([sys.executable, "-m", "fin_messenger_auth"], [script]):
        shown = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True).stdout
        assert shown == f"fin-messenger-auth {version('fin-messenger-auth')}\n"
