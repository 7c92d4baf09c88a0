"""Limits and time-outs are those that the docs give."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
# The constant, its value, and where the docs say so.
LIMITS: list[tuple[str, float, str, str]] = [
    ("_deadline.FAILURES", 5, "operate/production", "the pause after five failed signatures in a row"),
    ("_deadline.FIRST_PAUSE", 0.1, "operate/production", "| 0.1, doubled up to 0.5;"),
    ("_deadline.LONGEST_PAUSE", 0.5, "operate/production", "| 0.1, doubled up to 0.5;"),
    ("_deadline.PROBE", 1, "operate/production", "the probe after a pause | 1, or four times"),
    ("_late_signer.PAUSE", 5, "operate/production", "could not be used at start-up | 5 |"),
    ("_outages.INTERVAL", 10, "operate/production", "between two records in the log about one outage | 10 |"),
    ("_outages.QUIET", 1, "operate/production", "until a signature ends an outage in the log | 1 |"),
    ("_outages.RECENT", 60, "operate/alerts-and-metrics", "a signature failed in the last minute"),
    ("_environment.WARN_DAYS_LEFT", 30, "set-up/configure", "In the last thirty days of its certificate"),
    ("_keys.MIN_RSA_BITS", 2048, "set-up/configure", "an RSA key under 2048 bits"),
    ("_signers.MIN_SECRET_BYTES", 16, "set-up/configure", "or one under 16 bytes"),
    ("_signers.RECOMMENDED_SECRET_BYTES", 32, "set-up/configure", "a secret under 32 bytes"),
    ("_users.MAX_NAME_LENGTH", 190, "reference/known-and-tested", "names of attributes up to 190 characters"),
    ("_users.MAX_STRING_LENGTH", 255, "reference/known-and-tested", "strings up to 255"),
    ("_users.MAX_ATTRIBUTES", 250, "reference/known-and-tested", "250 attributes in a workspace"),
    ("_users.MAX_COMPANY_ATTRIBUTES", 100, "reference/known-and-tested", "and 100 of companies"),
    ("backends._remote.TIMEOUT", 1.5, "operate/production", "| 1.5 each, at most two tries"),
    ("backends._remote.CONNECTIONS", 64, "operate/keys-elsewhere", "the clients made here keep 64 connections"),
    ("backends._remote.RENEWAL_PAUSE", 5, "operate/keys-elsewhere", "is made again, at most every 5 seconds"),
    (
        "backends.pkcs11.LONGEST_WAIT",
        5,
        "operate/production",
        "waiting for the other threads of the process at an HSM | 5 |",
    ),
    ("backends.pkcs11.FORK_WAITS", 1, "operate/production", "until the HSM's module is idle | at most 1 |"),
    ("backends._refused_pins.REMEMBERED", 604_800, "operate/keys-elsewhere", "is not tried again for a week"),
    ("diagnosis._http.TIMEOUT_SECONDS", 10, "operate/find-out-why-guests", "at most ten seconds and 8 MB"),
    ("diagnosis._http.MAX_BYTES", 8_000_000, "operate/find-out-why-guests", "at most ten seconds and 8 MB"),
    ("onboarding._certificate.DEFAULT_DAYS", 730, "set-up/salesforce", "valid for two years"),
    ("onboarding._certificate.MIN_DAYS_LEFT", 10, "set-up/salesforce", "valid for ten more days"),
    ("sandbox._server.DEFAULT_PORT", 8765, "develop/sandbox-and-tests", "http://127.0.0.1:8765/"),
    ("sandbox._server._REMEMBERED", 20, "develop/sandbox-and-tests", "the last twenty verdicts"),
]


@pytest.mark.parametrize(("constant", "value", "page", "words"), LIMITS, ids=[each[0] for each in LIMITS])
def test_a_limit_is_the_one_in_the_docs(constant: str, value: float, page: str, words: str) -> None:
    module, _, name = constant.rpartition(".")
    assert getattr(import_module(f"fin_messenger_auth.{module}"), name) == value
    assert words in re.sub(r"\s+", " ", (DOCS / f"{page}.md").read_text("utf-8"))
