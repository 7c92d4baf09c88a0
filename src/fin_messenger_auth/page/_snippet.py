"""Writes the settings into a page: a ``<script>`` that no value can break out of, and what goes with it.

The scripts are in ``static/``, built from ``static/source/`` into what the snippet holds and into the module.
"""

from __future__ import annotations

import os
import re
from binascii import b2a_base64
from collections.abc import Mapping
from functools import cache, lru_cache
from json import JSONEncoder
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256, Hash  # loaded already, as hashlib is not

from fin_messenger_auth._json_values import has_unsafe_integer
from fin_messenger_auth._material import configured_string
from fin_messenger_auth._settings import API_BASES
from fin_messenger_auth.errors import ConfigurationError, InvalidClaimError

from ._csp import LOOPBACK, checked_nonce, development_widget

WIDGET_BASE = "https://widget.intercom.io/widget/"
"""The URL of the widget's script, without the app id that follows."""

_WIDGET = re.compile(f"https://|{LOOPBACK}/")

_json = JSONEncoder(separators=(",", ":"), allow_nan=False)

# Harmless to JavaScript, which reads back the same string, and to everything that looks at the page before it:
# the HTML parser (< > &), and template engines that see the page a second time ({{ {% {# ${).
_OF_HTML = (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026"))
_OF_TEMPLATES = re.compile(r"\{(?:(?=[{%#])|(?<=[{$]\{))")  # begins with its character, so that it is fast


def script_json(value: object) -> str:
    """Return ``value`` as a JavaScript expression that is safe inside a ``<script>``.

    It is ASCII, so lone surrogates, U+2028 and U+2029 are escaped too, and the browser reads back the same value.

    Raises:
        InvalidClaimError: A value is not a JSON value, or an integer that a browser would round.
    """
    try:
        text, is_rounded = _json.encode(value), has_unsafe_integer(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidClaimError("settings", "a value is not a JSON value; convert it first.") from error
    if is_rounded:
        raise InvalidClaimError("settings", "browsers round integers beyond 2^53; send a str.", "integer-unsafe")
    safe = _OF_TEMPLATES.sub(lambda _: "\\u007b", text)  # a string with a backslash would be parsed each time
    for character, escaped in _OF_HTML:  # ten times as fast as one expression
        safe = safe.replace(character, escaped)
    # In an object literal this one key would set the prototype instead of a property.
    return f"JSON.parse({script_json(safe)})" if '"__proto__"' in safe and not isinstance(value, str) else safe


class Snippet(str):
    """A whole ``<script>`` element, which Jinja2 and Django insert as it is.

    It can hold tokens, so its ``repr`` shows nothing of it.
    """

    __slots__ = ()

    def __html__(self) -> str:
        """Return the markup: template engines insert it unchanged."""
        return str(self)

    def __repr__(self) -> str:
        """Show the length, and a number that differs by content: a cache may take a representation as its key."""
        return f"<{type(self).__name__} of {len(self)} characters, {hash(self):x}>"

    @property
    def csp_source(self) -> str:
        """The SHA-256 source that allows this very script, for a ``script-src`` without nonces."""
        script = self[self.index(">") + 1 : self.rindex("<")]
        digest = Hash(SHA256())
        digest.update(script.encode())
        return f"'sha256-{b2a_base64(digest.finalize(), newline=False).decode()}'"


def render_snippet(settings: Mapping[str, object], *, nonce: object = None, widget_base: str = WIDGET_BASE) -> Snippet:
    """Return the ``<script>`` that boots the Messenger with ``settings``.

    Put it at the end of ``<body>``. A page with tokens in it must not be cached: send ``Cache-Control: no-store``.

    Args:
        settings: What ``build_settings`` returned, or any other mapping of JSON values.
        nonce: The nonce of this response's Content-Security-Policy.
        widget_base: Where the widget's script is loaded from. If left out: the environment variable
            ``FIN_MESSENGER_WIDGET_BASE``, which takes the sandbox on this machine only, or else Intercom.

    Raises:
        ConfigurationError: ``app_id`` is missing; the nonce is not valid; the widget would be
            loaded over plain HTTP from another machine.
        InvalidClaimError: A value is not a JSON value, or an integer that a browser would round.
    """
    if not isinstance(settings, Mapping):
        raise ConfigurationError(f"settings: expected a mapping, got {type(settings).__name__}.")
    configured_string(settings.get("app_id"), "app_id")
    if widget_base == WIDGET_BASE:
        widget_base = default_widget()
    if not (isinstance(widget_base, str) and _WIDGET.match(widget_base)):
        raise ConfigurationError(
            "widget_base: expected an https:// URL, or the sandbox on this machine (http://127.0.0.1:…/)."
        )
    return boot(dict(settings), nonce, widget_base)


def boot(settings: dict[str, object], nonce: object, widget_base: str) -> Snippet:
    """Return the snippet of settings that come from a builder."""
    # By the ID the script recognizes a page that is shown again from a history, not by the server.
    identity = f',"{os.urandom(6).hex()}"' if "intercom_user_jwt" in settings else ""
    return _script("boot", nonce, f"{script_json(settings)},{_quoted(widget_base)}{identity}")


def render_sign_out(app_id: str, *, nonce: object = None) -> Snippet:
    """Return a ``<script>`` that ends the Messenger's session, for the page that follows a sign-out.

    It calls ``shutdown``, keeps in ``window.intercomSettings`` only what says nothing of a person, and expires the
    Messenger's cookies and then the marker. The next snippet on the page boots anonymously.

    Args:
        app_id: The id of the Intercom workspace.
        nonce: The nonce of this response's Content-Security-Policy.

    Raises:
        ConfigurationError: ``app_id`` is not valid; the nonce is not valid.
    """
    return _script("leave", nonce, script_json(configured_string(app_id, "app_id")))


def render_renewal(module_url: str, endpoint: str, *, nonce: object = None) -> Snippet:
    """Return a ``<script type="module">`` that renews the tokens of this page and boots for whoever is signed in.

    Args:
        module_url: Where the application serves :func:`renewal_module`.
        endpoint: The application's own endpoint that returns the settings of the signed-in user as JSON.
        nonce: The nonce of this response's Content-Security-Policy.

    Raises:
        ConfigurationError: A URL is not a string, or blank; the nonce is not valid.
    """
    module, source = configured_string(module_url, "module_url"), configured_string(endpoint, "endpoint")
    script = f"import{{startMessenger}}from{_quoted(module)};startMessenger({_quoted(source)});"
    return Snippet(f'<script type="module"{_nonce(nonce)}>{script}</script>')


def renewal_module() -> str:
    """Return the path of the JavaScript module, to be served as a static file. It contains nothing personal."""
    return _static("fin-messenger-auth.js")


def cookie_names(app_id: object) -> tuple[str, ...]:
    """Return the names of the Messenger's cookies, for a sign-out that expires them on the server.

    Raises:
        ConfigurationError: ``app_id`` is not valid.
    """
    name = configured_string(app_id, "app_id")
    return tuple(f"intercom-{kind}-{name}" for kind in ("session", "id", "device-id"))


def npm_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``settings`` for the initialiser ``Intercom`` of the npm package ``@intercom/messenger-js-sdk``.

    The initialiser overwrites ``api_base`` with the one of its own ``region``, which is the United States if left out.
    The package's ``boot`` and ``update`` take the settings as they are; ``region`` would be a custom attribute there.

    Args:
        settings: What ``build_settings`` returned.

    Raises:
        ConfigurationError: ``api_base`` matches no known region.
    """
    if not isinstance(settings, Mapping):
        raise ConfigurationError(f"settings: expected a mapping, got {type(settings).__name__}.")
    for region, api_base in API_BASES.items():
        if api_base == settings.get("api_base"):
            return {**settings, "region": region}
    raise ConfigurationError("api_base matches no known region; the npm package supports no other.", "region-unknown")


def _script(function: str, nonce: object, arguments: str) -> Snippet:
    return Snippet(f"<script{_nonce(nonce)}>{_source()}.{function}({arguments});</script>")


def _nonce(nonce: object) -> str:
    return "" if nonce is None else f' nonce="{checked_nonce(nonce)}"'


def default_widget() -> str:
    """Return the URL of the widget's script, or that of the sandbox's where the environment names it."""
    return (development_widget() or (WIDGET_BASE,))[0]


_quoted = lru_cache(maxsize=64)(script_json)  # addresses: a site has one of each, or one for each of its prefixes


@cache
def _source() -> str:
    with open(_static("snippet.min.js"), encoding="utf-8") as file:
        return file.read().strip()


def _static(name: str) -> str:
    return os.path.join(os.path.dirname(os.path.dirname(__file__)), "static", name)
