"""Writes a value as JavaScript that cannot break out of its ``<script>``."""

from __future__ import annotations

import re
from json import JSONEncoder

from fin_messenger_auth._json_values import has_unsafe_integer
from fin_messenger_auth.errors import InvalidClaimError

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
    safe = _OF_TEMPLATES.sub(r"\\u007b", text)
    for character, escaped in _OF_HTML:  # ten times as fast as one expression
        safe = safe.replace(character, escaped)
    # In an object literal this one key would set the prototype instead of a property.
    return f"JSON.parse({script_json(safe)})" if '"__proto__"' in safe and not isinstance(value, str) else safe
