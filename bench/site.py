"""A small site, in Flask and in FastAPI: one page without the Messenger's settings and the same with them.

The page is the same 8 KB of HTML everywhere. ``/without`` has no settings, ``/local`` signs with keys in memory,
``/kms`` with a far key of 20 ms, ``/down`` with one that refuses.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fin_messenger_auth import SalesforceMinter

from . import peers
from .asynchronous import FarSigner
from .peers import Case

if TYPE_CHECKING:
    from fastapi import FastAPI
    from flask import Flask

    from fin_messenger_auth import TokenPairBuilder

KMS_SECONDS = 0.020
KINDS = ("without", "local", "kms", "down")
_FILLER = "<p>The rest of the page.</p>\n" * 290


class BlockingKms:
    """Stands for a KMS behind a blocking client: its thread waits, as Flask's would."""

    alg = "RS256"
    kid = peers.KID

    def sign(self, _signing_input: bytes, /) -> bytes:
        """Return bytes of a signature's size: nobody verifies them."""
        time.sleep(KMS_SECONDS)
        return bytes(256)


class KmsThatIsDown:
    """Stands for a KMS that refuses at once. One that hangs costs its client's time-out instead."""

    alg = "RS256"
    kid = peers.KID

    def sign(self, _signing_input: bytes, /) -> bytes:
        """Fail as a client does."""
        raise ConnectionRefusedError


def builders(kms: object) -> dict[str, TokenPairBuilder]:
    """Return a builder for each page that has settings."""

    def far(signer: Any) -> TokenPairBuilder:  # noqa: ANN401 - blocking or not
        minter = SalesforceMinter(signer, issuer=peers.ISSUER, audience=peers.AUDIENCE)
        return replace(local, salesforce=minter, on_signing_error="anonymous")

    local = Case().builder
    return {"local": local, "kms": far(kms), "down": far(KmsThatIsDown())}


def page(settings: dict[str, Any] | None) -> str:
    """Return the page, with or without settings."""
    # "<" is written out, so that no value can end the script.
    shown = "" if settings is None else json.dumps(settings).replace("<", "\\u003c")
    return f"<!doctype html><title>Bench</title><script>window.intercomSettings = {shown or None};</script>{_FILLER}"


def create_flask() -> Flask:
    """Make the site for gunicorn."""
    from flask import Flask  # noqa: PLC0415 - each server loads its own framework

    app, made = Flask(__name__), builders(BlockingKms())

    @app.get("/<kind>")
    def show(kind: str) -> str:
        return page(None if kind == "without" else made[kind].build_settings("42"))

    return app


def create_fastapi() -> FastAPI:
    """Make the site for uvicorn."""
    from fastapi import FastAPI  # noqa: PLC0415 - each server loads its own framework
    from fastapi.responses import HTMLResponse  # noqa: PLC0415 - the same

    app, made = FastAPI(), builders(FarSigner("RS256", KMS_SECONDS))

    async def show(kind: str) -> HTMLResponse:
        return HTMLResponse(page(None if kind == "without" else await made[kind].abuild_settings("42")))

    app.get("/{kind}", response_class=HTMLResponse)(show)
    return app
