"""Forty questions that people have, and the one page of the site that answers each."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"

# The question, the page, and words of its answer there. Each was asked of the site and its search alone.
QUESTIONS: dict[str, list[tuple[str, str, str]]] = {
    "administrator": [
        (
            "Which file do I upload, and where?",
            "set-up/salesforce",
            "New Key: upload keys/jwk.json and activate the key",
        ),
        ("What exactly is the issuer?", "set-up/salesforce", "the tokens' iss. Copy it: case and a final slash count"),
        ("Where is the Messenger API Secret?", "reference/variables-and-commands", "Settings > Messenger > Security"),
        ("Fin's key or our own?", "set-up/who-makes-the-second-token", "Let Fin make it, unless you have a reason."),
        (
            "How do I see that a chat is verified?",
            "operate/find-out-why-guests",
            "the key of a verified user contains /AUTH/",
        ),
        ("Can two keys be active at once?", "set-up/salesforce", "the new key joins the keyset that exists"),
        ("When does the certificate run out?", "operate/rotate-and-renew", "doctor warns thirty days ahead"),
        (
            "May I upload a renewed certificate?",
            "set-up/salesforce",
            "whether the form of an existing key takes a new file",
        ),
        ("Does it work on LWR sites?", "start/install", "does not verify tokens on LWR and Commerce sites"),
        (
            "What first, the site or the switch; and how back?",
            "set-up/salesforce",
            "First deploy the pages with tokens",
        ),
    ],
    "security engineer": [
        ("Which algorithms and key sizes?", "security/approval-sheet", "RSA: 2048 bits or more"),
        ("Does it work with FIPS?", "security/approval-sheet", "OpenSSL's FIPS provider alone"),
        ("Which personal data go where (GDPR)?", "security/data-protection", "Which personal value goes where"),
        ("What is stored, how long (retention)?", "security/data-protection", "nothing; tokens are made for each page"),
        ("Our Messenger secret has leaked", "security/incidents", "Delete the old secret now, without waiting"),
        ("Our private key was stolen", "security/incidents", "Deactivate the key, or take it out of the keyset."),
        ("Can one token be revoked?", "security/incidents", "A single token cannot be revoked"),
        ("Are tokens in our logs and Sentry?", "security/data-protection", "So let your tracker hide these names"),
        (
            "What runs when the doctor reads a page?",
            "security/approval-sheet",
            "in a child process without files and environment",
        ),
        ("How is a release made and verified?", "security/releases-and-reporting", "gh attestation verify"),
    ],
    "on call": [
        ("Switch it off now; open pages, too?", "operate/runbook", "An open page notices when it next renews"),
        ("Guests since 02:00", "operate/runbook", "nothing fails when verification breaks"),
        ("A visitor sees another person's chats", "operate/runbook", "Then purge the CDN and every page cache"),
        ("The KMS is down; may I restart?", "operate/runbook", "Do not deploy, scale or restart meanwhile"),
        ("How do I roll back?", "operate/runbook", "Roll back code and configuration together"),
        ("Is the clock of a server to blame?", "operate/runbook", "date -u on each server, beside another machine's"),
        ("Intercom is down; do our pages hang?", "operate/runbook", "Your pages do not wait for Intercom"),
        ("When should we be paged?", "operate/runbook", "5 minutes without a success"),
        (
            "What does this log record mean?",
            "operate/alerts-and-metrics",
            "The records of the logger fin_messenger_auth",
        ),
        ("Which time-outs, from the server inwards?", "operate/production", "load balancer (often 60) > gunicorn (30)"),
    ],
    "developer": [
        ("Do we need it, with Intercom alone?", "start/install", "You need one token"),
        (
            "May a CDN keep the page?",
            "integrate/other-frameworks",
            "A page with tokens belongs to one person, and no cache",
        ),
        (
            "How in React, with an API elsewhere?",
            "integrate/single-page-and-mobile",
            "The endpoint must name the page's origin",
        ),
        ("What about mobile apps?", "integrate/single-page-and-mobile", "take intercom_user_jwt through setUserJwt"),
        ("Do chats end at the sign-out?", "integrate/sign-out-and-renewal", "you have nothing to do"),
        ("What happens when a token expires?", "integrate/sign-out-and-renewal", "Tokens are valid for an hour"),
        ("Tests without real keys?", "develop/sandbox-and-tests", "throwaway_builder has keys that are generated once"),
        ("Does it block the event loop?", "develop/async", "each pair holds it up for about a quarter"),
        ("Two workspaces in one site?", "set-up/configure", "A prefix goes before every name"),
        ("What does a page cost?", "reference/versions-and-performance", "pairs a second and core"),
    ],
}


@cache
def text_of(page: str) -> str:
    """Return the words of a page, without the marks around them."""
    text = re.sub(r"\]\([^)]*\)|[`*\[\]]", "", (DOCS / f"{page}.md").read_text("utf-8"))
    return " ".join(text.split())


@pytest.mark.parametrize(
    ("page", "answer"),
    [pytest.param(page, answer, id=question) for asked in QUESTIONS.values() for question, page, answer in asked],
)
def test_one_page_answers(page: str, answer: str) -> None:
    assert answer in text_of(page)


def test_there_are_forty() -> None:
    assert {reader: len(asked) for reader, asked in QUESTIONS.items()} == dict.fromkeys(QUESTIONS, 10)
