"""Who the visitor is: the person whom both tokens speak of, and how to find them in your user object."""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass, field, fields
from types import NoneType
from typing import TYPE_CHECKING, Any, NoReturn, TypeGuard

from .errors import FinMessengerAuthWarning, InvalidClaimError
from .json_values import fill, json_items, json_text, json_value

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

MAX_ATTRIBUTES = 250
"""Custom attributes that one Intercom workspace can hold."""

MAX_TEXT_LENGTH = 255
"""Characters of a custom attribute's text that Intercom was seen to keep."""

# What nobody looks like once made a text: the nothing of Python, JSON and JavaScript, and Django's visitor.
_NOBODY = frozenset({"None", "null", "undefined", "AnonymousUser"})

_REGISTERED_CLAIMS = frozenset({"iss", "sub", "aud", "exp", "nbf", "iat", "jti"})  # RFC 7519 §4.1


@dataclass(frozen=True, slots=True, init=False)
class Company:
    """The company that the user belongs to, signed into ``intercom_user_jwt``.

    Args:
        company_id: Your own id of the company. Fin matches it to a Salesforce Account.
        name: The company's name.
        attributes: Further values, each under its own name beside ``id`` and ``name``.

    Raises:
        InvalidClaimError: An id is no ``str``, ``int`` or ``UUID``, or is blank; a name or an
            attribute is no JSON value, or is named ``id`` or ``name``.

    Warns:
        FinMessengerAuthWarning: Intercom is likely to cut or drop an attribute.
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
        fill(self, "company_id", _identifier(company_id, "company_id"))
        fill(self, "name", _text(name, "company name"))
        fill(self, "attributes", _attributes(attributes, "company attribute", frozenset({"id", "name"})))

    def claim(self) -> dict[str, Any]:
        """Return what stands under ``company`` in the token."""
        name = {} if self.name is None else {"name": self.name}
        return {**self.attributes, "id": self.company_id, **name}


@dataclass(frozen=True, slots=True, init=False)
class MessengerUser:
    """The signed-in user. Everything here is signed, and so protected from the visitor's own hand.

    On hand-off to Salesforce agents see all of it, so give what they need and no more.

    Args:
        user_id: Your own, stable id of the user. Integers and UUIDs become strings.
        email: The e-mail address.
        name: The full name.
        phone: The telephone number.
        created_at: When the user signed up, as Unix seconds or an aware ``datetime``.
        company: The company that the user belongs to.
        attributes: Custom attributes, each a claim of its own beside ``user_id``. JSON types are kept.
        salesforce_subject: The ``sub`` of ``salesforce_identity_token``, where it is not ``user_id``.

    Raises:
        InvalidClaimError: An id is no ``str``, ``int`` or ``UUID``, is blank or reads as ``"None"``,
            ``"null"`` or ``"undefined"``; a value is no JSON value; an attribute bears a name that is
            taken: a registered claim (RFC 7519 §4.1), ``user_id`` or another field of this class.

    Warns:
        FinMessengerAuthWarning: The id is an e-mail address; Intercom is likely to cut or drop an attribute.
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
        fill(self, "user_id", _identifier(user_id, "user_id"))
        fill(self, "email", _text(email, "email"))
        fill(self, "name", _text(name, "name"))
        fill(self, "phone", _text(phone, "phone"))
        fill(self, "created_at", None if created_at is None else _unix_seconds(created_at, "created_at"))
        fill(self, "company", _company(company))
        fill(self, "attributes", _attributes(attributes, "attribute", _TAKEN_NAMES))
        fill(
            self,
            "salesforce_subject",
            None if salesforce_subject is None else _identifier(salesforce_subject, "salesforce_subject"),
        )
        _warn_of_email(self.user_id)


_TAKEN_NAMES = _REGISTERED_CLAIMS | {each.name for each in fields(MessengerUser)}


def identify(user: Any) -> MessengerUser | None:  # noqa: ANN401 - every framework has its own user
    """Find out who ``user`` is: the default for ``TokenPairBuilder(identify=…)``.

    ``None`` and an object whose ``is_authenticated`` is ``False`` are an anonymous visitor. A
    :class:`MessengerUser` is itself; a ``str``, ``int`` or ``UUID`` is an id; from any other object the
    first of ``pk`` and ``id`` is taken. E-mail and name are not: agents will see them, so sending them is your
    own decision, made in an ``identify`` of your own. Works through Django's and Werkzeug's lazy objects.

    Args:
        user: The application's user, as ``request.user`` or ``current_user``.

    Returns:
        The user, or ``None`` for an anonymous visitor.

    Raises:
        InvalidClaimError: ``is_authenticated`` is neither ``True`` nor ``False``, or no usable id was found.
    """
    if isinstance(user, NoneType):
        return None
    if isinstance(user, MessengerUser):
        return user
    if _is_id(user):
        return MessengerUser(user)
    if not _is_authenticated(user):
        return None
    for name in ("pk", "id"):
        if hasattr(user, name):
            return _from_id(user, name)
    return _cannot_identify(user, "has neither pk nor id")


def _is_authenticated(user: Any) -> bool:  # noqa: ANN401 - every framework has its own user
    try:
        answer = user.is_authenticated
    except AttributeError:
        if hasattr(user.__class__, "is_authenticated"):  # it is there and broken: that must not read as signed in
            _cannot_identify(user, "has an is_authenticated that cannot be read")
        return True
    if answer is not True and answer is not False:
        _cannot_identify(user, "has an is_authenticated that is neither True nor False")
    return answer is True


def _from_id(user: object, name: str) -> MessengerUser:
    value = getattr(user, name)
    if not _is_id(value):
        _cannot_identify(user, f"has {type(value).__name__} as its {name}, not a str, an int or a UUID")
    return MessengerUser(value)


def _cannot_identify(user: object, why: str) -> NoReturn:
    raise InvalidClaimError(
        "user_id",
        f"{type(user).__name__} {why}; pass a MessengerUser, or give the builder an identify= that returns one.",
    )


def _is_id(value: object) -> TypeGuard[str | int | UUID]:
    if isinstance(value, str | int):
        return not isinstance(value, bool)
    uuid = sys.modules.get("uuid")  # whoever holds a UUID has imported it; importing it here would cost all others 3 ms
    return uuid is not None and isinstance(value, uuid.UUID)


def _identifier(value: object, claim: str) -> str:
    if not _is_id(value):
        raise InvalidClaimError(claim, f"an id is a str, an int or a UUID, not {type(value).__name__}.")
    text = json_text(value, claim) if isinstance(value, str) else _number_or_uuid(value, claim)
    if not text.strip():
        raise InvalidClaimError(claim, "the id is blank; an anonymous visitor is None.")
    if text in _NOBODY:
        raise InvalidClaimError(claim, f"the id reads {text!r}: nobody was turned into a text.")
    return text


def _number_or_uuid(value: int | UUID, claim: str) -> str:
    return str(json_value(value, claim) if isinstance(value, int) else value)


def _text(value: object, claim: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidClaimError(claim, f"must be a str, not {type(value).__name__}.")
    return json_text(value, claim)


def _unix_seconds(value: object, claim: str) -> int:
    plain = json_value(value, claim)
    if type(plain) is not int:
        raise InvalidClaimError(claim, f"must be Unix seconds or an aware datetime, not {type(value).__name__}.")
    return plain


def _company(value: object) -> Company | None:
    if value is None or isinstance(value, Company):
        return value
    raise InvalidClaimError("company", f"must be a Company, not {type(value).__name__}.")


def _attributes(values: object, what: str, taken: frozenset[str]) -> dict[str, Any]:
    if values is None:
        return {}
    plain: dict[str, Any] = {}
    for name, value in json_items(values, "attributes"):
        if name in taken:
            raise InvalidClaimError(name, f"the name is taken; give the {what} another one.")
        plain[name] = json_value(value, name)
    for complaint in _complaints(plain):
        warnings.warn(f"{what} {complaint}", FinMessengerAuthWarning, stacklevel=3)
    return plain


def _complaints(attributes: Mapping[str, Any]) -> list[str]:
    """What Intercom was seen to cut or drop: a field report, so no reason to refuse."""
    complaints = []
    for name, value in attributes.items():
        if "." in name or "$" in name:
            complaints.append(f"{name!r}: Intercom takes no '.' and no '$' in a name.")
        if isinstance(value, dict | list):
            complaints.append(f"{name!r}: Intercom takes single values, no lists and no objects.")
        if isinstance(value, str) and len(value) > MAX_TEXT_LENGTH:
            complaints.append(f"{name!r}: Intercom cuts texts over {MAX_TEXT_LENGTH} characters.")
    if len(attributes) > MAX_ATTRIBUTES:
        complaints.append(f"number {MAX_ATTRIBUTES + 1}: an Intercom workspace holds {MAX_ATTRIBUTES}.")
    return complaints


def _warn_of_email(user_id: str) -> None:
    local, _, domain = user_id.rpartition("@")
    if local and "." in domain:
        warnings.warn(
            "The user_id is an e-mail address: it changes, and it is personal data. Use your own id.",
            FinMessengerAuthWarning,
            stacklevel=3,
        )
