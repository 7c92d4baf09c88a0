"""Holds what the integrations share. It imports no framework."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fin_messenger_auth._builder import TokenPairBuilder
from fin_messenger_auth._outages import OnSigningError
from fin_messenger_auth._settings import PublicSettings
from fin_messenger_auth.errors import ConfigurationError
from fin_messenger_auth.page import NO_STORE, cookie_names, render_renewal, render_sign_out, render_snippet
from fin_messenger_auth.page._snippet import Snippet

SIGNED_OUT = "fin_messenger_signed_out"  # the cookie that says that the next page must end the Messenger's session
SCRIPT_HEADERS = {"Content-Type": "text/javascript", "Cache-Control": "public, max-age=3600"}

# What a cache may put before Cache-Control: the targeted fields of RFC 9213, what came before it, and nginx's own.
_OVERRIDES = re.compile(r"(?i)^.*-cache-control$|^(surrogate|edge)-control$|^x-accel-expires$|^expires$|^pragma$")


class PageSettings(PublicSettings, total=False):
    """What one page adds to the settings, as for ``build_settings``."""

    extra: Mapping[str, Any] | None


def checked_builder(builder: object) -> TokenPairBuilder:
    """Return the builder that an integration was given, or refuse another object at start-up."""
    if isinstance(builder, TokenPairBuilder):
        return builder
    raise ConfigurationError(f"builder: expected a TokenPairBuilder, got {type(builder).__name__}.")


def builder_from_env(prefix: str = "", on_signing_error: OnSigningError | None = None) -> TokenPairBuilder:
    """Read the environment; by default, a page is anonymous where signing fails."""
    is_chosen = on_signing_error or os.environ.get(f"{prefix}MESSENGER_ON_SIGNING_ERROR", "").strip()
    return TokenPairBuilder.from_env(prefix=prefix, on_signing_error=on_signing_error if is_chosen else "anonymous")


@dataclass(slots=True)
class Visit:
    """One request, and what its response must say."""

    cookies: Mapping[str, str]  # of the request
    is_secure: bool  # the request came over HTTPS
    signed_out: bool = False  # in this very request
    ends_session: bool = False  # it contains the script for a sign-out
    is_private: bool | None = None  # it contains tokens, or that script; None if it contains no script
    is_complete: bool = False  # its headers are final

    def scripts(self, made: Mapping[str, Any], nonce: object, renewal: Sequence[str] | None) -> Snippet:
        """Return the scripts of a page with the settings ``made``; ``renewal`` are the URLs of the two routes."""
        if "user_id" in made and self.is_complete and not self.is_private:
            raise ConfigurationError("The response was sent already: make the Messenger's scripts before it starts.")
        self.is_private = self.is_private or "user_id" in made
        parts = [render_snippet(made, nonce=nonce)]
        if renewal:  # for anonymous visitors, too: they follow a sign-in in another tab
            parts.append(render_renewal(*renewal, nonce=nonce))
        if self.signed_out or self.cookies.get(SIGNED_OUT):
            parts.insert(0, render_sign_out(made["app_id"], nonce=nonce))
            self.ends_session = self.is_private = True
        return Snippet("".join(parts))

    def complete(self, response: Any, app_id: str, *, is_streamed: bool = False) -> None:
        """Complete a response, of Werkzeug, Starlette or Django: the Messenger's cookies, and who may keep it."""
        if is_streamed and response.headers.get("Content-Type", "").startswith("text/html"):
            self.is_private = True  # tokens may come later
        for name in cookie_names(app_id) if self.signed_out else ():
            response.delete_cookie(name)
        if self.ends_session and SIGNED_OUT in self.cookies:
            response.delete_cookie(SIGNED_OUT)
        elif self.signed_out and not self.ends_session:
            response.set_cookie(SIGNED_OUT, "1", secure=self.is_secure, httponly=True, samesite="lax")
        if self.signed_out:  # its cookies are one visitor's (RFC 9111 §7.3: they do not keep it out of caches)
            self.is_private = True
        if self.is_private is not None:
            vary = [name for each in response.headers.get("Vary", "").split(",") if (name := each.strip())]
            if not {"*", "cookie"} & {name.lower() for name in vary}:
                response.headers["Vary"] = ", ".join([*vary, "Cookie"])
        if self.is_private:
            for name in filter(_OVERRIDES.search, list(response.headers.keys())):
                del response.headers[name]
            response.headers["Cache-Control"] = NO_STORE["Cache-Control"]
        self.is_complete = True
