"""What the doctor prints on a terminal, with and without rich, and what it never prints raw."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from fin_messenger_auth.cli import main
from fin_messenger_auth.diagnosis import CATALOGUE, Document, _page_checks, _page_reader, check_page
from fin_messenger_auth.diagnosis._findings import finding, one_line
from fin_messenger_auth.diagnosis._report import print_report, report
from fin_messenger_auth.testing import throwaway_environ

LONG = [CATALOGUE[code] for code in ("unknown-fin", "page-shutdown-missing", "page-settings-twice", "unknown-secret")]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()  # what it prints to is there from here on
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda _self: True)
    monkeypatch.setenv("COLUMNS", "60")


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("rich", [True, False])
def test_a_terminal_gets_blocks_of_its_width(
    rich: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if not rich:
        monkeypatch.setitem(sys.modules, "rich.console", None)
    monkeypatch.setenv("NO_COLOR", "1")
    print_report(LONG, before="✓ before", after="after")
    text = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    blocks = text.strip().split("\n\n")
    assert blocks[0] == "✓ before"
    assert blocks[1].startswith("✗ page: The page sets up the Messenger twice")
    assert "\n    → Keep one: remove the other script" in blocks[1]
    assert blocks[1].endswith("    page-settings-twice (field report)")
    assert blocks[2].startswith("! page: ")
    assert blocks[3].startswith("Not checked from here:\n  ? Only Fin can tell")
    assert blocks[-1] == "after"
    assert all(len(line) <= 60 for line in text.splitlines())


@pytest.mark.usefixtures("terminal")
def test_links_come_last_and_once(capsys: pytest.CaptureFixture[str]) -> None:
    print_report([CATALOGUE["page-secret"], CATALOGUE["page-secret"], CATALOGUE["unknown-fin"]])
    text = capsys.readouterr().out
    assert text.count(str(CATALOGUE["page-secret"].url)) == 1
    assert text.rstrip().endswith(str(CATALOGUE["page-secret"].url))


@pytest.mark.usefixtures("terminal")
def test_a_report_of_nothing_is_what_stands_around_it(capsys: pytest.CaptureFixture[str]) -> None:
    print_report([], before="token", after="0 errors")
    assert capsys.readouterr().out == "token\n\n0 errors\n"


def test_a_file_gets_the_same_words_in_three_lines(capsys: pytest.CaptureFixture[str]) -> None:
    print_report(LONG, after="after")
    assert capsys.readouterr().out == f"{report(LONG)}\n\nafter\n"


HOSTILE = "\x1b]0;owned\x07\x9b2J\u202eabc\r\n\x00\ud800"


def test_nothing_from_outside_moves_a_cursor() -> None:
    found = finding("page-unreachable", why=HOSTILE)
    assert found.message.isprintable()
    assert one_line("plain — text").isprintable()


def test_a_hostile_key_id_is_written_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in throwaway_environ().items():
        monkeypatch.setenv(name, value)
    page = tmp_path / "p.json"
    page.write_text(json.dumps({"app_id": HOSTILE[:-1], "intercom_user_jwt": HOSTILE[:-1]}))
    main(["doctor", "--page", str(page)])
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", capsys.readouterr().out)


class TestWithoutTheExtra:
    def test_one_line_says_which_extra_reads_pages(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_page_reader, "find_spec", lambda _name: None)
        [found] = check_page(Document("<script>window.intercomSettings = made()</script>"))
        assert found.code == "unchecked"
        assert 'pip install "fin-messenger-auth[doctor]"' in found.fix

    def test_the_same_for_an_address(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_page_checks, "find_spec", lambda _name: None)
        [found] = check_page(Document("", failure="requests need the extra"))
        assert found.code == "unchecked"

    def test_a_page_that_was_not_read_is_not_said_to_be_right(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(_page_reader, "find_spec", lambda _name: None)
        for name, value in throwaway_environ().items():
            monkeypatch.setenv(name, value)
        page = tmp_path / "p.html"
        page.write_text("<script>window.intercomSettings = made()</script>")
        assert main(["doctor", "--page", str(page), "--strict"]) == 1
        output = capsys.readouterr().out
        assert "✓" not in output
        assert "your page, which was not read" in output
