"""A source of a Content-Security-Policy allows a host by the rules of CSP 3, §6.7.2.8."""

from __future__ import annotations

import pytest

from fin_messenger_auth import render_snippet
from fin_messenger_auth.diagnosis._policy_checks import _allows
from fin_messenger_auth.testing import throwaway_builder

WIDGET = "https://widget.intercom.io/"


@pytest.mark.parametrize(
    ("source", "url", "allowed"),
    [
        ("https://widget.intercom.io", WIDGET, True),
        ("widget.intercom.io", WIDGET, True),
        ("HTTPS://Widget.Intercom.IO", WIDGET, True),
        ("https://widget.intercom.io/widget/", WIDGET, True),
        ("https://widget.intercom.io:443", WIDGET, True),
        ("https://widget.intercom.io:*", WIDGET, True),
        ("https://widget.intercom.io:8443", WIDGET, False),
        ("http://intercom.io", WIDGET, False),
        ("https://*.intercom.io", WIDGET, True),
        ("*.intercom.io", "https://a.b.intercom.io/", True),
        ("*.intercom.io", "https://intercom.io/", False),
        ("*.intercom.io", "https://evilintercom.io/", False),
        ("*.intercom.io", "https://intercom.io.evil.example/", False),
        ("intercom.io", WIDGET, False),
        ("wss://*.intercom.io", WIDGET, False),
        ("https:", WIDGET, True),
        ("wss:", WIDGET, False),
        ("*", WIDGET, True),
        ("'self'", WIDGET, False),
    ],
)
def test_a_source_allows_a_host(source: str, url: str, allowed: bool) -> None:
    assert _allows([source], url) is allowed


def test_no_two_signed_in_pages_have_the_same_identity() -> None:
    settings = throwaway_builder().build_settings("42")
    assert len({str(render_snippet(settings)) for _ in range(1_000)}) == 1_000
