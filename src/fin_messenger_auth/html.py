"""The settings in the page: a ``<script>`` that no value can break out of, and what goes with it.

The scripts themselves lie in ``static/``. The loader boots the Messenger, and never shows one person's chats
to the next: an identified boot leaves a marker in ``localStorage``, and a page for somebody else, or for
nobody, that finds it shuts the Messenger down before it boots anew.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from json import JSONEncoder
from typing import TYPE_CHECKING, Any

from .csp import checked_nonce
from .errors import ConfigurationError, InvalidClaimError
from .json_values import configured_string
from .settings import API_BASES

if TYPE_CHECKING:
    from pathlib import Path

WIDGET_BASE = "https://widget.intercom.io/widget/"
"""Where the widget's script lies; the app id follows."""

# What a person leaves in window.intercomSettings.
_PERSONAL = ("user_id", "email", "intercom_user_jwt", "salesforce_identity_token", "auth_tokens")

_json = JSONEncoder(separators=(",", ":"), allow_nan=False)

# Harmless to JavaScript, which reads back the same text, and to everything that looks at the page before it:
# the HTML parser (< > &), and template engines that see the page a second time ({{ {% {#).
_UNSAFE = re.compile(r"[<>&]|\{(?=[{%#])|(?<=\{)\{")

_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?/")


class Snippet(str):
    """A whole ``<script>`` element, which Jinja2 and Django insert as it is.

    It can hold tokens, so its ``repr`` shows nothing of it.
    """

    __slots__ = ()

    def __html__(self) -> str:
        """Return the markup: what tells template engines that it is escaped already."""
        return str(self)

    def __repr__(self) -> str:
        """Show the length only."""
        return f"<{type(self).__name__} of {len(self)} characters>"

    @property
    def csp_source(self) -> str:
        """The SHA-256 source that allows this very script, for ``script-src`` where there are no nonces."""
        from base64 import b64encode  # noqa: PLC0415 - not needed where there are nonces
        from hashlib import sha256  # noqa: PLC0415 - as above

        script = self[self.index(">") + 1 : self.rindex("<")]
        return f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'"


def render_snippet(settings: Mapping[str, object], *, nonce: object = None, widget_base: str = WIDGET_BASE) -> Snippet:
    """Return the ``<script>`` that boots the Messenger with ``settings``.

    Put it at the end of ``<body>``. A page with tokens in it must not be cached: send ``Cache-Control: no-store``.

    Args:
        settings: What ``build_settings`` returned. Any other mapping of JSON values is as safe, lone
            surrogates included.
        nonce: The nonce of this response's Content-Security-Policy.
        widget_base: Where the widget's script is loaded from. For the sandbox: ``http://127.0.0.1:…/widget/``.

    Raises:
        ConfigurationError: There is no ``app_id``; the nonce is no base64 text; the widget would be
            loaded over plain HTTP from another machine.
        InvalidClaimError: A value is no JSON value.
    """
    if not isinstance(settings, Mapping):
        raise ConfigurationError(f"render_snippet takes the settings as a mapping, not {type(settings).__name__}.")
    configured_string(settings.get("app_id"), "app_id")
    if not (widget_base.startswith("https://") or _LOOPBACK.match(widget_base)):
        raise ConfigurationError("widget_base must start with https://, or be the sandbox on this machine.")
    return _script("loader.js", nonce, dict(settings), widget_base, cookie_names(str(settings["app_id"])))


def render_sign_out(app_id: str, *, nonce: object = None) -> Snippet:
    """Return a ``<script>`` that ends the Messenger's session, for the page that follows a sign-out.

    It calls ``shutdown``, removes the user and the tokens from ``window.intercomSettings`` and the marker from
    ``localStorage``, and expires the Messenger's cookies. The next snippet on the page boots anonymously.

    Args:
        app_id: The id of the Intercom workspace.
        nonce: The nonce of this response's Content-Security-Policy.

    Raises:
        ConfigurationError: ``app_id`` is blank; the nonce is no base64 text.
    """
    return _script("sign-out.js", nonce, configured_string(app_id, "app_id"), cookie_names(app_id), _PERSONAL)


def render_renewal(module_url: str, endpoint: str, *, nonce: object = None) -> Snippet:
    """Return a ``<script type="module">`` that keeps the tokens of this page fresh.

    Args:
        module_url: Where the application serves :func:`renewal_module`.
        endpoint: The application's own endpoint that returns the settings of the signed-in user as JSON.
        nonce: The nonce of this response's Content-Security-Policy.

    Raises:
        ConfigurationError: The nonce is no base64 text.
    """
    return _element(f"import{{renew}}from{script_json(module_url)};renew({script_json(endpoint)});", nonce, "module")


def renewal_module() -> Path:
    """Return where the renewal module lies, to be served as a static file. It holds nothing personal."""
    return _static("renewal.min.js")


def cookie_names(app_id: str) -> tuple[str, ...]:
    """Return the names of the Messenger's cookies, for a sign-out that expires them on the server."""
    return tuple(f"intercom-{kind}-{app_id}" for kind in ("session", "id", "device-id"))


def npm_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``settings`` as the npm package ``@intercom/messenger-js-sdk`` takes them.

    The package overwrites any ``api_base`` with the one of its own ``region``, which is the United States
    if left out. So ``region`` stands here in place of ``api_base``.

    Raises:
        ConfigurationError: ``api_base`` is no region's.
    """
    regions = {api_base: region for region, api_base in API_BASES.items() if region != "au"}
    region = regions.get(str(settings.get("api_base")))
    if region is None:
        raise ConfigurationError("api_base is no region's; the npm package takes nothing else.")
    return {"region": region, **{name: value for name, value in settings.items() if name != "api_base"}}


def script_json(value: object) -> str:
    """Return ``value`` as a JavaScript expression that is safe inside a ``<script>``.

    It is ASCII, so lone surrogates, U+2028 and U+2029 are escaped too, and the browser reads back the very value.

    Raises:
        InvalidClaimError: A value is no JSON value.
    """
    try:
        text = _json.encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidClaimError("settings", "a value has no JSON form; convert it first.") from error
    safe = _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    # In an object literal this one key would set the prototype instead of a property.
    return f"JSON.parse({script_json(safe)})" if '"__proto__"' in safe and not isinstance(value, str) else safe


def _script(name: str, nonce: object, *arguments: object) -> Snippet:
    return _element(f"{_source(name)}({','.join(map(script_json, arguments))});", nonce)


def _element(script: str, nonce: object, kind: str | None = None) -> Snippet:
    attributes = f' type="{kind}"' if kind else ""
    if nonce is not None:
        attributes += f' nonce="{checked_nonce(nonce)}"'
    return Snippet(f"<script{attributes}>{script}</script>")


@cache
def _source(name: str) -> str:
    """Return a script of ours without its comments and indentation."""
    lines = (line.strip() for line in _static(name).read_text("utf-8").splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def _static(name: str) -> Path:
    from pathlib import Path  # noqa: PLC0415 - importing it takes longer than all of this library

    return Path(__file__).with_name("static") / name
