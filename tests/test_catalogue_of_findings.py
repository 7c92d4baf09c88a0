"""The catalogue as a whole: every code can be raised, and is documented as it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fin_messenger_auth.diagnosis import CATALOGUE, Level
from tests import broken_keys, broken_setups, broken_tokens

BROKEN = [
    *(case.codes for case in (*broken_tokens.BROKEN_INTERCOM, *broken_tokens.BROKEN_SALESFORCE)),
    *(case.codes for case in broken_tokens.BROKEN_PAGES),
    *(case.codes for case in broken_keys.BROKEN),
    *(case.codes for case in broken_setups.BROKEN),
]

# Raised by tests of their own: what is left unchecked, and what an org says.
ELSEWHERE = re.compile(r"online-|unknown-|pair-|.*-unchecked$|intercom-secret-unusable$")


def test_every_code_is_raised_alone_by_a_broken_set_up() -> None:
    # A clock that is wrong by years makes a certificate look wrong too.
    alone = {code for codes in BROKEN if len(codes) == 1 for code in codes}
    assert {code for code in CATALOGUE if not ELSEWHERE.match(code)} - alone == {"clock-implausible"}


def test_what_an_org_says_is_raised_too() -> None:
    tests = Path(__file__).with_name("test_doctor_online.py").read_text(encoding="utf-8")
    assert [code for code in CATALOGUE if code.startswith("online-") and f'"{code}"' not in tests] == []


def test_pairs_of_faults_are_among_them() -> None:
    assert sum(len(codes) > 1 for codes in BROKEN) >= 15
    assert len({code for codes in BROKEN for code in codes}) >= 40


def test_what_is_left_unchecked_is_neither_error_nor_warning() -> None:
    for code, entry in CATALOGUE.items():
        assert (entry.level is Level.UNCHECKED) == bool(re.match(r"unknown-|.*-unchecked$|.*-unusable$", code))


@pytest.mark.parametrize("code", CATALOGUE)
def test_an_entry_reads_well(code: str) -> None:
    entry = CATALOGUE[code]
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", code)
    assert entry.message.endswith((".", "}"))
    assert entry.fix.endswith((".", "?"))
    assert entry.url is None or entry.url.startswith("https://")
