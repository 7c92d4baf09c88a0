"""The rules of ``window.intercomSettings``: regions, and the public settings that go beside the tokens."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal, NamedTuple, TypedDict

from .errors import ConfigurationError
from .json_values import configured_text, json_items, json_value

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

    Everything that Intercom does not know becomes a custom attribute, so a name that is not here is
    an error; pass such a value on purpose through ``extra=``.
    """

    action_color: str
    alignment: Literal["left", "right"]
    auth_tokens: Mapping[str, str]
    avatar: Mapping[str, str]
    background_color: str
    companies: list[Mapping[str, Any]]
    company: Mapping[str, Any]
    created_at: int
    custom_launcher_selector: str
    email: str
    hide_default_launcher: bool
    hide_notifications: bool
    horizontal_padding: int
    installation_type: str
    language_override: str
    link_color: str
    name: str
    page_title: str
    phone: str
    session_duration: int
    unsubscribed_from_emails: bool
    vertical_padding: int
    z_index: int


class _Rule(NamedTuple):
    wanted: str
    holds: Callable[[Any], bool]


def _integer(least: int | None = None) -> _Rule:
    if least is None:
        return _Rule("an int", lambda value: type(value) is int)
    return _Rule(f"an int, {least} or more", lambda value: type(value) is int and value >= least)


def _is_company(value: object) -> bool:
    return isinstance(value, dict) and {"id", "name"} <= value.keys()


def _is_texts(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


_TEXT = _Rule("a str", lambda value: isinstance(value, str))
_FLAG = _Rule("True or False", lambda value: isinstance(value, bool))
_PADDING = _integer(least=20)  # pixels

RULES: dict[str, _Rule] = {
    "action_color": _TEXT,
    "alignment": _Rule('"left" or "right"', lambda value: value in ("left", "right")),
    "auth_tokens": _Rule("an object of names and tokens", _is_texts),
    "avatar": _Rule(
        'an object of "type": "avatar" and "image_url"',
        lambda value: _is_texts(value) and value.get("type") == "avatar" and "image_url" in value,
    ),
    "background_color": _TEXT,
    "companies": _Rule(
        'a list of objects with "id" and "name"',
        lambda value: isinstance(value, list) and all(map(_is_company, value)),
    ),
    "company": _Rule('an object with "id" and "name"', _is_company),
    "created_at": _integer(),  # Unix seconds
    "custom_launcher_selector": _TEXT,
    "email": _TEXT,
    "hide_default_launcher": _FLAG,
    "hide_notifications": _FLAG,
    "horizontal_padding": _PADDING,
    "installation_type": _TEXT,
    "language_override": _TEXT,
    "link_color": _TEXT,
    "name": _TEXT,
    "page_title": _TEXT,
    "phone": _TEXT,
    "session_duration": _integer(least=300_000),  # milliseconds
    "unsubscribed_from_emails": _FLAG,
    "vertical_padding": _PADDING,
    "z_index": _integer(),
}
"""What each public setting must be, by Intercom's list of Messenger attributes."""

_NOT_YOURS = {
    "api_base": "it follows from the builder's region=",
    "app_id": "it is the builder's app_id=",
    "intercom_user_jwt": "it is made for the user who is signed in",
    "salesforce_identity_token": "it is made for the user who is signed in",
    "user_hash": "it is deprecated and must not stand beside a token",
    "user_id": "it comes from the user who is signed in",
}


def api_base_of(region: str, override: str | None = None) -> str:
    """Return the ``api_base`` of a region.

    Args:
        region: ``us``, ``eu`` or ``ap``.
        override: An address to use instead, for a region that is newer than this library.

    Raises:
        ConfigurationError: There is no such region, or the override is no ``https`` address.
    """
    if region not in tuple(API_BASES):
        raise ConfigurationError("The region must be one of us, eu and ap.")
    if override is None:
        return API_BASES[region]
    if not configured_text(override, "api_base").startswith("https://"):
        raise ConfigurationError("api_base must be an address that starts with https://.")
    return override


def checked_settings(
    public: Mapping[str, object], extra: Mapping[str, object] | None, signed: Collection[str] = ()
) -> dict[str, Any]:
    """Return a fresh dict of ``public`` and ``extra``, checked.

    Args:
        public: Documented settings; each is held to its type and range.
        extra: Anything else, passed through as it is, to become custom attributes.
        signed: The names that the user's token carries already: a second, unsigned value beside it
            could be changed by the visitor.

    Raises:
        ConfigurationError: A setting is unknown, of the wrong type, reserved, signed already, or given twice.
        InvalidClaimError: A value is no JSON value; ``extra`` is no mapping of names.
    """
    settings: dict[str, Any] = {}
    for name, value in public.items():
        _check_name(name, signed)
        settings[name] = _checked_value(name, value)
    if extra is None:
        return settings
    for name, value in json_items(extra, "extra"):
        _check_name(name, signed)
        if name in settings:
            raise ConfigurationError(f"{name} is given twice, by name and in extra=.")
        settings[name] = json_value(value, name)
    return settings


def _check_name(name: str, signed: Collection[str]) -> None:
    if name in _NOT_YOURS:
        raise ConfigurationError(f"{name} cannot be set here: {_NOT_YOURS[name]}.")
    if name in signed:
        raise ConfigurationError(f"{name} is signed in intercom_user_jwt already; the visitor could change it here.")


def _checked_value(name: str, value: object) -> Any:  # noqa: ANN401 - JSON is what its reader makes of it
    if name not in RULES:
        raise ConfigurationError(
            f"There is no setting {name!r}; {_nearest(name)}others are passed in extra=, on purpose."
        )
    plain = json_value(value, name)
    if not RULES[name].holds(plain):
        raise ConfigurationError(f"{name} must be {RULES[name].wanted}.")
    return plain


def _nearest(name: str) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - needed only to word an error

    close = get_close_matches(name, RULES, n=1)
    return f"did you mean {close[0]!r}? " if close else ""
