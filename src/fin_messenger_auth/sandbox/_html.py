"""Renders what the sandbox serves to a browser: the stand-in for the Messenger's widget, and the status page."""

from __future__ import annotations

import time
from collections.abc import Sequence
from html import escape
from importlib.resources import files

from ._judge import Verdict

_STATIC = files("fin_messenger_auth").joinpath("static")


def widget_script() -> str:
    """Return the JavaScript of the stand-in for the Messenger's widget."""
    return _STATIC.joinpath("widget.js").read_text("utf-8")


def status_page(verdicts: Sequence[tuple[float, Verdict]]) -> str:
    """Return the HTML of the status page: the last verdicts, newest first.

    Args:
        verdicts: The time in Unix seconds and the verdict, for each page that was judged.
    """
    rows = "".join(
        f"<tr><td>{time.strftime('%H:%M:%S', time.localtime(moment))}"
        f"<td>{escape(verdict.intercom)}<td>{escape(verdict.salesforce)}<td>{escape(verdict.chats)}"
        for moment, verdict in reversed(verdicts)
    )
    page = _STATIC.joinpath("sandbox-status.html").read_text("utf-8")
    return page.replace("<!--rows-->", rows) if rows else page.replace("<table", "<table hidden")
