"""What the integrations share. It imports no framework."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fin_messenger_auth.outages import OnSigningError
from fin_messenger_auth.page import NO_STORE, cookie_names, render_renewal, render_sign_out, render_snippet
from fin_messenger_auth.page.snippet import Snippet
from fin_messenger_auth.pair import TokenPairBuilder

SIGNED_OUT = "fin_messenger_signed_out"  # the cookie that says that the next page must end the Messenger's session


def builder_from_env(prefix: str = "", on_signing_error: OnSigningError | None = None) -> TokenPairBuilder:
    """Read the environment; by default, a page is anonymous where signing fails."""
    by_environment = os.environ.get(f"{prefix}MESSENGER_ON_SIGNING_ERROR", "").strip()
    policy = on_signing_error or (None if by_environment else "anonymous")
    return TokenPairBuilder.from_env(prefix=prefix, on_signing_error=policy)


@dataclass(slots=True)
class Visit:
    """One request, and what its response must say."""

    cookies: Mapping[str, str]  # of the request
    is_secure: bool  # the request came over HTTPS
    signed_out: bool = False  # in this very request
    has_scripts: bool = False
    is_private: bool = False  # it contains tokens, or the script for a sign-out

    def scripts(
        self, made: dict[str, Any], nonce: object, renewal: tuple[str, str] | None, widget_base: str
    ) -> Snippet:
        """Return the scripts of a page with the settings ``made``; ``renewal`` are the URLs of the two routes."""
        parts = [render_snippet(made, nonce=nonce, widget_base=widget_base)]
        if renewal:  # for anonymous visitors, too: they follow a sign-in in another tab
            parts.append(render_renewal(*renewal, nonce=nonce))
        if told := self.signed_out or bool(self.cookies.get(SIGNED_OUT)):
            parts.insert(0, render_sign_out(made["app_id"], nonce=nonce))
        self.has_scripts, self.is_private = True, self.is_private or told or "user_id" in made
        return Snippet("".join(parts))

    def complete(self, response: Any, app_id: str) -> None:
        """Complete a response, of Werkzeug, Starlette or Django: the Messenger's cookies, and who may keep it."""
        for name in cookie_names(app_id) if self.signed_out else ():
            response.delete_cookie(name)
        if self.has_scripts and self.cookies.get(SIGNED_OUT):
            response.delete_cookie(SIGNED_OUT)
        elif self.signed_out and not self.has_scripts:
            response.set_cookie(SIGNED_OUT, "1", secure=self.is_secure, httponly=True, samesite="lax")
        vary = response.headers.get("Vary", "")
        if (self.has_scripts or self.is_private) and "cookie" not in vary.lower():
            response.headers["Vary"] = f"{vary}, Cookie".lstrip(", ")
        if self.is_private:
            response.headers["Cache-Control"] = NO_STORE["Cache-Control"]
