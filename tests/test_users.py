"""Who the visitor is, and what may be signed of them."""

from __future__ import annotations

import copy
import enum
import math
import uuid
import warnings
from collections import OrderedDict
from dataclasses import FrozenInstanceError, replace
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from types import MappingProxyType, SimpleNamespace
from typing import Any

import django
import pytest
from django.conf import settings as django_settings
from django.utils.functional import SimpleLazyObject
from django.utils.safestring import mark_safe
from markupsafe import Markup
from werkzeug.local import LocalProxy

from fin_messenger_auth import Company, MessengerUser, identify
from fin_messenger_auth.errors import ConfigurationError, FinMessengerAuthWarning, InvalidClaimError
from fin_messenger_auth.testing import throwaway_builder

UUID = uuid.UUID("12345678-1234-5678-1234-567812345678")


class Colour(enum.IntEnum):
    RED = 3


class Plan(str, enum.Enum):  # noqa: UP042 - its str() is not its value
    PRO = "pro"


@pytest.mark.parametrize(
    ("given", "expected"), [("42", "42"), (42, "42"), (0, "0"), (UUID, str(UUID)), (" a ", " a "), (Plan.PRO, "pro")]
)
def test_ids_become_strings(given: Any, expected: str) -> None:
    user = MessengerUser(given, salesforce_subject=given, company=Company(given))

    assert user.company is not None
    for made in (user.user_id, user.salesforce_subject, user.company.company_id):
        assert made == expected
        assert type(made) is str


NO_TEXTS = ["", "  ", "\n", "None", "null", "undefined", "AnonymousUser", "\ud800"]
NO_IDS = [True, False, 1.0, b"42", ["42"], object(), 10**5000, *NO_TEXTS]


@pytest.mark.parametrize("given", NO_IDS, ids=range(len(NO_IDS)))
def test_what_is_no_id_is_refused_by_name(given: Any) -> None:
    with pytest.raises(InvalidClaimError) as caught:
        MessengerUser(given)
    assert caught.value.claim == "user_id"
    with pytest.raises(InvalidClaimError) as caught:
        MessengerUser("42", salesforce_subject=given)
    assert caught.value.claim == "salesforce_subject"
    with pytest.raises(InvalidClaimError) as caught:
        Company(given)
    assert caught.value.claim == "company_id"


@pytest.mark.parametrize("given", [None])
def test_nobody_is_no_id(given: Any) -> None:
    with pytest.raises(InvalidClaimError, match="user_id"):
        MessengerUser(given)
    assert MessengerUser("42", salesforce_subject=given).salesforce_subject is None


VALUES: dict[str, tuple[Any, Any]] = {
    "false": (False, False),
    "zero": (0, 0),
    "empty": ("", ""),
    "null": (None, None),
    "float": (2.5, 2.5),
    "large": (2**53 - 1, 2**53 - 1),
    "aware": (datetime(2023, 11, 14, 22, 13, 20, 999_999, tzinfo=UTC), 1_700_000_000),
    "aware elsewhere": (datetime(2023, 11, 15, 0, 13, 20, tzinfo=timezone(timedelta(hours=2))), 1_700_000_000),
    "before 1970": (datetime(1969, 12, 31, 23, 59, 59, 500_000, tzinfo=UTC), -1),
    "IntEnum": (Colour.RED, 3),
    "str Enum": (Plan.PRO, "pro"),
    "SafeString": (mark_safe("<b>"), "<b>"),
    "Markup": (Markup("<b>"), "<b>"),
}


@pytest.mark.parametrize(("given", "expected"), VALUES.values(), ids=VALUES)
def test_attributes_keep_their_json_type(given: Any, expected: Any) -> None:
    made = MessengerUser("42", attributes={"a": given}).attributes["a"]

    assert made == expected
    assert type(made) is type(expected)


@pytest.mark.filterwarnings("ignore::fin_messenger_auth.errors.FinMessengerAuthWarning")
def test_containers_become_plain_lists_and_dicts() -> None:
    given = {"a": (1, [2, OrderedDict(b=MappingProxyType({"c": Colour.RED}))])}

    made = MessengerUser("42", attributes=given).attributes

    assert made == {"a": [1, [2, {"b": {"c": 3}}]]}
    assert isinstance(made["a"][1][1], dict)


def _cycle() -> dict[str, Any]:
    value: dict[str, Any] = {}
    value["again"] = [value, value]
    return value


def _deep(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


NO_JSON: dict[str, Any] = {
    "nan": math.nan,
    "infinity": -math.inf,
    "set": {1},
    "bytes": b"x",
    "naive datetime": datetime(2023, 11, 14),
    "date": date(2023, 11, 14),
    "decimal": Decimal(1),
    "uuid": UUID,
    "object": object(),
    "lone surrogate": "a\udfffb",
    "surrogate in a key": {"\ud800": 1},
    "key that is no text": {1: 1},
    "cycle": _cycle(),
    "65 deep": _deep(65),
    "200 000 deep": _deep(200_000),
    "too large": 2**1024,
    "far too large": 10**5000,
    "nested": {"fine": [1, {"bad": {1}}]},
}


@pytest.mark.parametrize("value", NO_JSON.values(), ids=NO_JSON)
def test_what_json_has_not_is_refused_where_the_user_is_made(value: Any) -> None:
    with pytest.raises(InvalidClaimError) as caught:
        MessengerUser("42", attributes={"shoe_size": value})
    assert caught.value.claim == "shoe_size"
    with pytest.raises(InvalidClaimError) as caught:
        Company("7", attributes={"shoe_size": value})
    assert caught.value.claim == "shoe_size"


def test_a_value_that_doubles_at_each_level_is_refused_in_time() -> None:
    value: list[Any] = []
    for _ in range(60):
        value = [value, value]

    with pytest.raises(InvalidClaimError, match="100000 values") as caught:
        MessengerUser("42", attributes={"a": value})
    assert caught.value.code == "claim-invalid"


class Unreadable(dict[str, Any]):
    def items(self) -> Any:
        raise RuntimeError("hunter2")


class NoList(list[Any]):
    def __iter__(self) -> Any:
        raise KeyError("hunter2")


class NoInt(int):
    def __int__(self) -> Any:
        return "boo"


class Elsewhere(tzinfo):
    def dst(self, _when: datetime | None) -> Any:
        return None

    def tzname(self, _when: datetime | None) -> Any:
        return None

    def utcoffset(self, _when: datetime | None) -> Any:
        raise KeyError("hunter2")


@pytest.mark.parametrize(
    "value",
    [Unreadable(a=1), NoList([1]), NoInt(3), datetime(2023, 11, 14, tzinfo=Elsewhere()), SimpleLazyObject(lambda: {1})],
)
def test_values_that_misbehave_raise_our_error_with_theirs_as_the_cause(value: Any) -> None:
    for attempt in (
        lambda: MessengerUser("42", attributes={"a": value}),
        lambda: MessengerUser("42", attributes=value),
        lambda: throwaway_builder().build_settings(None, extra={"a": value}),
    ):
        with pytest.raises(InvalidClaimError) as caught:
            attempt()
        assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("value", [True, False, None, 3, 2.5, "x", [1], {"a": None}])
@pytest.mark.parametrize("lazy", [SimpleLazyObject, LocalProxy])
@pytest.mark.filterwarnings("ignore::fin_messenger_auth.errors.FinMessengerAuthWarning")
def test_lazy_objects_become_the_plain_values_behind_them(lazy: Any, value: Any) -> None:
    made = MessengerUser("42", attributes={"a": lazy(lambda: value)}).attributes["a"]

    assert made == value
    assert isinstance(made, type(value))


class Sly(str):
    """A name that equals no other, itself excepted."""

    __slots__ = ()

    def __hash__(self) -> int:
        return 7

    def __eq__(self, other: object) -> bool:
        return self is other


def test_no_attribute_takes_the_place_of_a_claim() -> None:
    with pytest.raises(InvalidClaimError, match="reserved") as caught:
        MessengerUser("42", attributes={Sly("exp"): 9})
    assert caught.value.code == "claim-reserved"
    with pytest.raises(ConfigurationError, match="app_id cannot be set") as refused:
        throwaway_builder().build_settings("42", extra={Sly("app_id"): "x"})
    assert refused.value.code == "setting-reserved"


@pytest.mark.filterwarnings("ignore::fin_messenger_auth.errors.FinMessengerAuthWarning")
def test_the_same_list_twice_is_no_cycle() -> None:
    shared = [1]

    assert MessengerUser("42", attributes={"a": [shared, shared]}).attributes == {"a": [[1], [1]]}


@pytest.mark.filterwarnings("ignore::fin_messenger_auth.errors.FinMessengerAuthWarning")
def test_nothing_the_caller_passes_is_changed_or_kept() -> None:
    given: dict[str, Any] = {"when": datetime(2023, 11, 14, tzinfo=UTC), "list": [1, {"a": 2}]}
    before = copy.deepcopy(given)

    user = MessengerUser("42", attributes=given)
    assert given == before
    given["list"].append("later")

    assert user.attributes["list"] == [1, {"a": 2}]


@pytest.mark.parametrize(
    "name",
    [
        "iss",
        "sub",
        "aud",
        "exp",
        "nbf",
        "iat",
        "jti",
        "user_id",
        "email",
        "name",
        "phone",
        "created_at",
        "company",
        "attributes",
        "salesforce_subject",
    ],
)
def test_names_that_are_taken_cannot_be_attributes(name: str) -> None:
    with pytest.raises(InvalidClaimError, match="reserved") as caught:
        MessengerUser("42", attributes={name: "x"})
    assert caught.value.code == "claim-reserved"
    assert caught.value.claim == name


@pytest.mark.parametrize("name", ["id", "name"])
def test_a_company_s_names_are_taken_too(name: str) -> None:
    with pytest.raises(InvalidClaimError, match="reserved") as caught:
        Company("7", attributes={name: "x"})
    assert caught.value.code == "claim-reserved"


@pytest.mark.parametrize("attributes", [[("a", 1)], "a", 7, {7: "x"}, {"\ud800": 1}])
def test_attributes_are_a_mapping_of_names(attributes: Any) -> None:
    with pytest.raises(InvalidClaimError, match="attributes") as caught:
        MessengerUser("42", attributes=attributes)
    assert caught.value.code == "claim-invalid"


@pytest.mark.parametrize("field", ["email", "name", "phone"])
@pytest.mark.parametrize("value", [7, b"x", ["x"], "\ud800"])
def test_texts_are_texts(field: str, value: Any) -> None:
    with pytest.raises(InvalidClaimError) as caught:
        MessengerUser("42", **{field: value})
    assert caught.value.claim == field


@pytest.mark.parametrize("value", ["2023-11-14", True, 1.5, datetime(2023, 11, 14)])
def test_created_at_is_unix_seconds_or_an_aware_datetime(value: Any) -> None:
    assert MessengerUser("42", created_at=1_700_000_000).created_at == 1_700_000_000
    assert MessengerUser("42", created_at=datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)).created_at == 1_700_000_000
    with pytest.raises(InvalidClaimError, match="created_at") as caught:
        MessengerUser("42", created_at=value)
    assert caught.value.code == "claim-invalid"


@pytest.mark.parametrize("company", ["7", {"id": "7"}, 7])
def test_a_company_is_a_company(company: Any) -> None:
    with pytest.raises(InvalidClaimError, match="company: expected a Company") as caught:
        MessengerUser("42", company=company)
    assert caught.value.code == "claim-invalid"


def test_users_are_immutable_hashable_values() -> None:
    user = MessengerUser("42", name="Ada", attributes={"a": 1}, company=Company("7", attributes={"b": 2}))
    same = MessengerUser(42, name="Ada", attributes={"a": 1}, company=Company(7, attributes={"b": 2}))

    assert user == same
    assert hash(user) == hash(same)
    assert replace(user, name="Eve").attributes == {"a": 1}
    assert repr(user) == "MessengerUser(user_id='42', salesforce_subject=None)"
    with pytest.raises(FrozenInstanceError):
        user.name = "Eve"  # type: ignore[misc]


UNWISE: dict[str, tuple[Any, str]] = {
    "a dot": ({"a.b": 1}, "'a.b'"),
    "a dollar": ({"$a": 1}, "and '\\$'"),
    "a list": ({"a": [1]}, "a list or an object"),
    "an object": ({"a": {"b": 1}}, "a list or an object"),
    "a long text": ({"a": "x" * 256}, "255 characters"),
    "too many": ({f"a{n}": n for n in range(251)}, "251 attributes"),
}


@pytest.mark.parametrize(("attributes", "said"), UNWISE.values(), ids=UNWISE)
def test_what_intercom_may_drop_is_a_warning_where_it_is_given(attributes: Any, said: str) -> None:
    with pytest.warns(FinMessengerAuthWarning, match=said) as caught:
        MessengerUser("42", attributes=attributes)
    assert caught[0].filename == __file__
    with pytest.warns(FinMessengerAuthWarning, match=said) as caught:
        Company("42", attributes=attributes)
    assert caught[0].filename == __file__


@pytest.mark.parametrize(("kind", "limit"), [(MessengerUser, 250), (Company, 100)])
def test_as_many_attributes_as_a_workspace_holds_are_fine(kind: Any, limit: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kind("42", attributes={f"a{n}": n for n in range(limit)})
    with pytest.warns(FinMessengerAuthWarning, match=f"{limit + 1} attributes: an Intercom workspace holds {limit}"):
        kind("42", attributes={f"a{n}": n for n in range(limit + 1)})


@pytest.mark.parametrize(("name", "value"), [("n" * 190, 1), ("a", "x" * 255)], ids=["name", "value"])
def test_the_longest_names_and_strings_are_fine(name: str, value: object) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MessengerUser("42", attributes={name: value})
    with pytest.warns(FinMessengerAuthWarning, match="190 characters"):
        MessengerUser("42", attributes={"n" * 191: 1})


def test_an_e_mail_address_as_id_is_a_warning_that_does_not_repeat_it() -> None:
    with pytest.warns(FinMessengerAuthWarning, match="e-mail address") as caught:
        MessengerUser("ada@example.com")
    assert "ada" not in str(caught[0].message)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("user_id", ["auth0|42", "@42", "ada@home", "acct:42"])
def test_other_ids_are_no_e_mail_addresses(user_id: str) -> None:
    assert MessengerUser(user_id).user_id == user_id


# identify


def account(**fields: Any) -> Any:
    return SimpleNamespace(**fields)


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("42", "42"),
        (42, "42"),
        (UUID, str(UUID)),
        (account(id=42), "42"),
        (account(pk="p", id="i"), "p"),
        (account(id=UUID, is_authenticated=True), str(UUID)),
        (account(id=0), "0"),
    ],
)
def test_identify_takes_the_id_and_nothing_else(user: Any, expected: str) -> None:
    assert identify(user) == MessengerUser(expected)
    assert identify(LocalProxy(lambda: user)) == MessengerUser(expected)
    assert identify(SimpleLazyObject(lambda: user)) == MessengerUser(expected)


@pytest.mark.parametrize("user", [None, account(is_authenticated=False), account(id=7, is_authenticated=False)])
def test_identify_knows_the_anonymous_visitor(user: Any) -> None:
    assert identify(user) is None
    assert identify(LocalProxy(lambda: user)) is None
    assert identify(SimpleLazyObject(lambda: user)) is None


def test_identify_leaves_a_messenger_user_as_it_is() -> None:
    user = MessengerUser("42", name="Ada")

    assert identify(user) is user
    assert identify(LocalProxy(lambda: user)).name == "Ada"  # type: ignore[union-attr]


def test_identify_knows_django_s_own_users() -> None:
    if not django_settings.configured:
        django_settings.configure(
            INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"], SECRET_KEY="for tests"
        )
    django.setup()
    from django.contrib.auth.models import AnonymousUser, User

    assert identify(SimpleLazyObject(AnonymousUser)) is None
    assert identify(SimpleLazyObject(lambda: User(pk=42, email="ada@example.com"))) == MessengerUser("42")
    with pytest.raises(InvalidClaimError, match="User has a pk of type NoneType") as caught:
        identify(User())
    assert caught.value.code == "user-unidentified"


class Broken:
    id = "42"

    @property
    def is_authenticated(self) -> bool:
        raise AttributeError("session")


class SessionToken:
    def get_id(self) -> str:
        return "a session token"


NO_USERS: dict[str, Any] = {
    "is_authenticated is a method": account(id=7, is_authenticated=lambda: True),
    "is_authenticated is None": account(id=7, is_authenticated=None),
    "is_authenticated is 1": account(id=7, is_authenticated=1),
    "is_authenticated cannot be read": Broken(),
    "unsaved": account(pk=None, id=None),
    "neither": account(name="Ada"),
    "get_id only": SessionToken(),
    "a dict": {"id": 42},
    "a float id": account(id=4.2),
    "a bool id": account(id=True),
    "bytes": b"42",
    "a float": 4.2,
    "a class": type("User", (), {"id": property(lambda _self: 42)}),
}


@pytest.mark.parametrize("user", NO_USERS.values(), ids=NO_USERS)
def test_anything_else_is_an_error_that_shows_the_two_ways_out(user: Any) -> None:
    for given in (user, LocalProxy(lambda: user), SimpleLazyObject(lambda: user)):
        with pytest.raises(InvalidClaimError, match=r"MessengerUser.*identify=") as caught:
            identify(given)
        assert caught.value.code == "user-unidentified"
        assert caught.value.claim == "user_id"


@pytest.mark.parametrize("user", [True, False])
def test_a_truth_value_is_no_user(user: bool) -> None:
    with pytest.raises(InvalidClaimError, match=r"MessengerUser.*identify=") as caught:
        identify(user)
    assert caught.value.code == "user-unidentified"


@pytest.mark.parametrize("user_id", ["", "  ", "None"])
def test_an_object_with_a_blank_id_is_an_error(user_id: str) -> None:
    with pytest.raises(InvalidClaimError, match="user_id"):
        identify(account(id=user_id))
