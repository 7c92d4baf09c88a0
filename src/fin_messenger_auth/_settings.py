"""Checks the public settings that go beside the tokens in ``window.intercomSettings``, and knows the regions."""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, Literal, NamedTuple, TypedDict, get_args

from ._json_values import has_unsafe_integer, json_items, json_value
from ._material import configured_string
from .errors import ConfigurationError, InvalidClaimError

Region = Literal["us", "eu", "ap", "au"]
"""Where Intercom keeps the workspace's data. ``au`` is another name for ``ap``."""

API_BASES: dict[str, str] = {
    "us": "https://api-iam.intercom.io",
    "eu": "https://api-iam.eu.intercom.io",
    "ap": "https://api-iam.au.intercom.io",
    "au": "https://api-iam.au.intercom.io",
}
"""``api_base`` by region."""


class PublicSettings(TypedDict, total=False):
    """The documented settings that are not signed. The visitor can read and change all of them.

    Intercom makes a custom attribute of every name that it does not know, so a name that is not here is an
    error; to set a custom attribute on purpose, pass it in ``extra=``.
    """

    action_color: str
    alignment: Literal["left", "right"]
    auth_tokens: Mapping[str, str]
    avatar: Mapping[str, str]
    background_color: str
    companies: list[Mapping[str, Any]]
    company: Mapping[str, Any]
    created_at: int  # Unix seconds
    custom_launcher_selector: str
    email: str
    hide_default_launcher: bool
    hide_notifications: bool
    horizontal_padding: int  # pixels
    installation_type: str
    language_override: str
    link_color: str
    name: str
    page_title: str
    phone: str
    session_duration: int  # milliseconds
    unsubscribed_from_emails: bool
    vertical_padding: int  # pixels
    z_index: int


class _Rule(NamedTuple):
    expected: str
    holds: Callable[[Any], bool]


def _integer(least: int) -> _Rule:
    return _Rule(f"an int, {least} or more", lambda value: type(value) is int and value >= least)


def _is_company(value: object) -> bool:
    return isinstance(value, dict) and {"id", "name"} <= value.keys()


def _is_strings(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(each, str) for each in value.values())


_BY_TYPE: dict[object, _Rule] = {
    bool: _Rule("True or False", lambda value: isinstance(value, bool)),
    int: _Rule("an int", lambda value: type(value) is int),
    str: _Rule("a str", lambda value: isinstance(value, str)),
}
_BY_NAME = {
    "alignment": _Rule('"left" or "right"', lambda value: value in ("left", "right")),
    "auth_tokens": _Rule("an object of names and tokens", _is_strings),
    "avatar": _Rule(
        'an object of "type": "avatar" and "image_url"',
        lambda value: _is_strings(value) and value.get("type") == "avatar" and "image_url" in value,
    ),
    "companies": _Rule(
        'a list of objects with "id" and "name"',
        lambda value: isinstance(value, list) and all(map(_is_company, value)),
    ),
    "company": _Rule('an object with "id" and "name"', _is_company),
    "horizontal_padding": _integer(20),
    "session_duration": _integer(300_000),
    "vertical_padding": _integer(20),
}
RULES: dict[str, _Rule] = {
    name: _BY_NAME.get(name) or _BY_TYPE[kind] for name, kind in PublicSettings.__annotations__.items()
}
"""What each public setting must be, by Intercom's list of Messenger attributes."""

DISPLAY_SETTINGS = {
    *("action_color", "alignment", "background_color", "custom_launcher_selector", "hide_default_launcher"),
    *("hide_notifications", "horizontal_padding", "language_override", "link_color", "page_title"),
    *("vertical_padding", "z_index"),
}
"""The public settings that say nothing of a person: a cache may keep them, and a sign-out leaves them."""

IDENTIFYING_SETTINGS = {"auth_tokens", "avatar", "companies", "company", "created_at", "email", "name", "phone"}
"""The public settings that identify a visitor; they are dropped if nobody is signed in."""

_RESERVED = {
    "api_base": "it follows from the builder's region=",
    "app_id": "it is the builder's app_id=",
    "intercom_user_jwt": "the builder makes it for the signed-in user",
    "salesforce_identity_token": "the builder makes it for the signed-in user",
    "user_hash": "it is deprecated, and not allowed beside a token",
    "user_id": "it comes from the signed-in user",
}


def api_base_of(region: str, api_base: str | None = None, name: str = "region") -> str:
    """Return the ``api_base`` of a region, or else its own; ``name`` is what an error calls the region."""
    if region not in tuple(API_BASES):
        raise ConfigurationError(f"{name}: expected {', '.join(get_args(Region)[:3])} or au.", "region-unknown")
    if api_base is None:
        return API_BASES[region]
    if not configured_string(api_base, "api_base").startswith("https://"):
        raise ConfigurationError("api_base: expected a URL that starts with https://.")
    return api_base


def checked_settings(
    public: Mapping[str, object], extra: Mapping[str, object] | None, is_signed: Callable[[str], bool]
) -> dict[str, Any]:
    """Return a fresh dict of documented settings and custom attributes, checked not to be signed as well."""
    settings: dict[str, Any] = {}
    for name, value in public.items():
        _check_name(name, is_signed)
        settings[name] = _checked_value(name, value)
    if extra is None:
        return settings
    for name, value in json_items(extra, "extra"):
        _check_name(name, is_signed)
        if name in settings:
            raise ConfigurationError(f"{name} is given twice, by name and in extra=.", "setting-reserved")
        settings[name] = _exact(name, value)
    return settings


def without_identity(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that an anonymous visitor's page may have."""
    return {name: value for name, value in settings.items() if name not in IDENTIFYING_SETTINGS}


def _check_name(name: str, is_signed: Callable[[str], bool]) -> None:
    if name in _RESERVED:
        raise ConfigurationError(f"{name} cannot be set here: {_RESERVED[name]}.", "setting-reserved")
    if is_signed(name):
        raise ConfigurationError(
            f"{name} is already signed in intercom_user_jwt; here, the visitor could change it.", "setting-reserved"
        )


def _checked_value(name: str, value: object) -> Any:  # noqa: ANN401 - any JSON
    if name not in RULES:
        close = get_close_matches(name, RULES, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else "."
        raise ConfigurationError(
            f"Unknown setting {name!r}{hint} To set a custom attribute, pass it in extra=.", "setting-unknown"
        )
    plain = _exact(name, value)
    if not RULES[name].holds(plain):
        raise ConfigurationError(f"{name}: expected {RULES[name].expected}.", "setting-invalid")
    return plain


def _exact(name: str, value: object) -> Any:  # noqa: ANN401 - any JSON
    plain = json_value(value, name)
    if has_unsafe_integer(plain):
        raise InvalidClaimError(name, "browsers round integers beyond 2^53; send a str.", "integer-unsafe")
    return plain
