"""Describes the user whom both tokens identify, and finds them in an application's user object."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from types import NoneType
from typing import Any, NoReturn, TypeGuard
from uuid import UUID

from ._json_values import (
    FrozenMapping,
    has_unsafe_integer,
    is_lost,
    json_items,
    json_string,
    json_value,
    looks_like_email,
    set_field,
)
from .errors import FinMessengerAuthWarning, InvalidClaimError, warn

MAX_ATTRIBUTES = 250  # custom attributes that one Intercom workspace can hold
MAX_COMPANY_ATTRIBUTES = 100  # custom attributes of companies that one Intercom workspace can hold
MAX_NAME_LENGTH = 190  # characters in the name of a custom attribute
MAX_STRING_LENGTH = 255  # characters in the value of a custom attribute
_REGISTERED_CLAIMS = frozenset({"iss", "sub", "aud", "exp", "nbf", "iat", "jti"})  # RFC 7519 §4.1


@dataclass(frozen=True, slots=True, init=False)
class Company:
    """The company that the user belongs to, signed into ``intercom_user_jwt``.

    Args:
        company_id: Your own ID of the company. Fin matches it to a Salesforce Account.
        name: The company's name.
        attributes: Further values, each under its own name beside ``id`` and ``name``.

    Raises:
        InvalidClaimError: The ID is not a ``str``, ``int`` or ``UUID``, or is blank; the name is not a ``str``; an
            attribute is not a JSON value, or its name is ``id`` or ``name``.

    Warns:
        FinMessengerAuthWarning: Intercom is likely to truncate or drop an attribute.
    """

    company_id: str
    name: str | None = field(repr=False)
    attributes: Mapping[str, Any] = field(repr=False, hash=False)

    def __init__(
        self,
        company_id: str | int | UUID,
        *,
        name: str | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        set_field(self, "company_id", _identifier(company_id, "company_id"))
        set_field(self, "name", _string(name, "company name"))
        set_field(self, "attributes", _attributes(attributes, frozenset({"id", "name"}), MAX_COMPANY_ATTRIBUTES))

    def claim(self) -> dict[str, Any]:
        """Return the value of the claim ``company``, a fresh dict."""
        name = {} if self.name is None else {"name": self.name}
        return {**self.attributes, "id": self.company_id, **name}

    def _itself(self) -> Company:
        """Return the object behind a lazy one, read once."""
        return self


@dataclass(frozen=True, slots=True, init=False)
class MessengerUser:
    """The signed-in user. Everything here is signed, so the visitor cannot change it.

    On hand-off to Salesforce agents see all of it: pass what they need and no more. It is immutable: nothing done to
    it or to the values it was made from changes what is signed.

    Args:
        user_id: Your own, stable ID of the user. Integers and UUIDs become strings.
        email: The e-mail address.
        name: The full name.
        phone: The telephone number.
        created_at: When the user signed up, as Unix seconds or an aware ``datetime``.
        company: The company that the user belongs to.
        attributes: Custom attributes, each a claim of its own beside ``user_id``. JSON types are kept.
        salesforce_subject: The ``sub`` of ``salesforce_identity_token``, where it is not ``user_id``.

    Raises:
        InvalidClaimError: An ID is not a ``str``, ``int`` or ``UUID``, is blank or looks like a stringified null
            (``"None"``, ``"null"``, ``"undefined"``, ``"NaN"``, in any case); a value is not a JSON value; the name of
            an attribute is reserved: a registered claim (RFC 7519 §4.1), ``user_id`` or another field of this class.

    Warns:
        FinMessengerAuthWarning: The ID is an e-mail address; Intercom is likely to truncate or drop an attribute; a
            browser would round an integer.
    """

    user_id: str
    email: str | None = field(repr=False)
    name: str | None = field(repr=False)
    phone: str | None = field(repr=False)
    created_at: int | None = field(repr=False)
    company: Company | None = field(repr=False)
    attributes: Mapping[str, Any] = field(repr=False, hash=False)
    salesforce_subject: str | None

    def __init__(  # noqa: PLR0913 - one for each field, all but the first by name
        self,
        user_id: str | int | UUID,
        *,
        email: str | None = None,
        name: str | None = None,
        phone: str | None = None,
        created_at: int | datetime | None = None,
        company: Company | None = None,
        attributes: Mapping[str, Any] | None = None,
        salesforce_subject: str | int | UUID | None = None,
    ) -> None:
        subject = salesforce_subject
        set_field(self, "user_id", _identifier(user_id, "user_id"))
        set_field(self, "email", _string(email, "email"))
        set_field(self, "name", _string(name, "name"))
        set_field(self, "phone", _string(phone, "phone"))
        set_field(self, "created_at", None if created_at is None else _unix_seconds(created_at, "created_at"))
        set_field(self, "company", _company(company))
        set_field(self, "attributes", _attributes(attributes, RESERVED_NAMES, MAX_ATTRIBUTES))
        set_field(self, "salesforce_subject", None if subject is None else _identifier(subject, "salesforce_subject"))
        if looks_like_email(self.user_id):
            warn(
                "The user_id is an e-mail address: it can change, and it is personal data. Use your own, stable ID.",
                "user-id-email",
            )

    def _itself(self) -> MessengerUser:
        """Return the object behind a lazy one, read once."""
        return self


RESERVED_NAMES = _REGISTERED_CLAIMS | {each.name for each in fields(MessengerUser)}
"""Names that no custom attribute of a user may have."""


def identify(user: Any) -> MessengerUser | None:  # noqa: ANN401 - every framework has its own user
    """Return who ``user`` is: the default for ``TokenPairBuilder(identify=…)``.

    ``None`` and an object whose ``is_authenticated`` is ``False`` are an anonymous visitor. A
    :class:`MessengerUser` is itself; a ``str``, ``int`` or ``UUID`` is an ID; from any other object the
    first of ``pk`` and ``id`` is taken. E-mail and name are not: agents will see them, so sending them is your
    own decision, made in an ``identify`` of your own. Works through Django's and Werkzeug's lazy objects.

    Args:
        user: The application's user, such as ``request.user`` or ``current_user``.

    Returns:
        The user, or ``None`` for an anonymous visitor.

    Raises:
        InvalidClaimError: ``is_authenticated`` is neither ``True`` nor ``False``, or no usable ID was found.
    """
    if isinstance(user, NoneType):
        return None
    if isinstance(user, MessengerUser):
        return resolved(user)
    if _is_id(user):
        return MessengerUser(user)
    if isinstance(user, type):
        _cannot_identify(user, "is a class, not a user")
    if not _is_authenticated(user):
        return None
    for name in ("pk", "id"):
        if hasattr(user, name):
            return _from_id(user, name)
    return _cannot_identify(user, "has neither pk nor id")


def resolved(user: MessengerUser) -> MessengerUser:
    """Return the user behind a lazy object, read once, so that it cannot change between the two tokens."""
    return user._itself()  # noqa: SLF001 - of this module


def _is_authenticated(user: Any) -> bool:  # noqa: ANN401 - every framework has its own user
    try:
        answer = user.is_authenticated
    except AttributeError:
        if hasattr(user.__class__, "is_authenticated"):  # it exists but raised; that must not count as signed in
            _cannot_identify(user, "has an is_authenticated that raises AttributeError")
        if getattr(user, "is_anonymous", False):
            _cannot_identify(user, "has is_anonymous, but no is_authenticated")
        return True
    if answer is not True and answer is not False:
        _cannot_identify(user, "has an is_authenticated that is neither True nor False")
    return answer is True


def _from_id(user: object, name: str) -> MessengerUser:
    value = getattr(user, name)
    if not _is_id(value):
        _cannot_identify(user, f"has a {name} of type {type(value).__name__}; expected a str, an int or a UUID")
    return MessengerUser(value)


def _cannot_identify(user: object, why: str) -> NoReturn:
    raise InvalidClaimError(
        "user_id",
        f"{type(user).__name__} {why}; pass a MessengerUser, or give the builder an identify= that returns one.",
        "user-unidentified",
    )


def _is_id(value: object) -> TypeGuard[str | int | UUID]:
    return isinstance(value, str | int | UUID) and not isinstance(value, bool)


def _identifier(value: object, claim: str) -> str:
    if not _is_id(value):
        raise InvalidClaimError(claim, f"expected an ID of type str, int or UUID, got {type(value).__name__}.")
    if isinstance(value, str):
        plain = json_string(value, claim)
    else:
        plain = str(json_value(value, claim) if isinstance(value, int) else value)
    if is_lost(plain):
        raise InvalidClaimError(
            claim,
            "the ID is blank or looks like a stringified null; return None for an anonymous visitor.",
            "user-id-lost",
        )
    return plain


def _string(value: object, claim: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidClaimError(claim, f"expected a str, got {type(value).__name__}.")
    return json_string(value, claim)


def _unix_seconds(value: object, claim: str) -> int:
    plain = json_value(value, claim)
    if type(plain) is not int:
        raise InvalidClaimError(claim, f"expected Unix seconds or an aware datetime, got {type(value).__name__}.")
    return plain


def _company(value: object) -> Company | None:
    if isinstance(value, Company):
        return value._itself()  # noqa: SLF001 - of this module
    if isinstance(value, NoneType):
        return None
    raise InvalidClaimError("company", f"expected a Company, got {type(value).__name__}.")


_NO_ATTRIBUTES = FrozenMapping({})


def _attributes(values: object, reserved: frozenset[str], limit: int) -> FrozenMapping:
    if values is None:
        return _NO_ATTRIBUTES
    plain: dict[str, Any] = {}
    for name, value in json_items(values, "attributes"):
        if name in reserved:
            raise InvalidClaimError(name, "the name is reserved; rename the attribute.", "claim-reserved")
        plain[name] = json_value(value, name)
    for problem in attribute_problems(plain, limit):
        warn(problem.message, problem.code)
    return FrozenMapping(plain)


def attribute_problems(attributes: Mapping[str, Any], limit: int = MAX_ATTRIBUTES) -> Iterator[FinMessengerAuthWarning]:
    """Yield a warning for each attribute that Intercom is likely to truncate or drop.

    The limits are documented for its REST API. That the Messenger applies them is an inference: nothing is refused.
    """
    for name, value in attributes.items():
        shown = f"The attribute {name[:40]!r}"
        if "." in name or "$" in name or len(name) > MAX_NAME_LENGTH:
            message = f"{shown}: Intercom accepts names of up to {MAX_NAME_LENGTH} characters, without '.' and '$'."
            yield FinMessengerAuthWarning(message, "attribute-name")
        if isinstance(value, dict | list):
            message = f"{shown} is a list or an object; Intercom accepts single values."
            yield FinMessengerAuthWarning(message, "attribute-value")
        if isinstance(value, str) and len(value) > MAX_STRING_LENGTH:
            message = f"{shown} has more than {MAX_STRING_LENGTH} characters; Intercom truncates it."
            yield FinMessengerAuthWarning(message, "attribute-value")
        if has_unsafe_integer(value):
            message = f"{shown} has an integer beyond 2^53, which many JSON readers round; send a str."
            yield FinMessengerAuthWarning(message, "integer-unsafe")
    if len(attributes) > limit:
        message = f"{len(attributes)} attributes: an Intercom workspace holds {limit}."
        yield FinMessengerAuthWarning(message, "attribute-count")
