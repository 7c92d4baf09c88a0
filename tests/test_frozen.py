"""What was checked when a user was made is what is signed: nothing done later changes it."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from django.utils.functional import SimpleLazyObject
from werkzeug.local import LocalProxy

from fin_messenger_auth import Company, FinMessengerAuthWarning, InvalidClaimError, MessengerUser, identify
from fin_messenger_auth.json_values import MAX_DEPTH, MAX_SAFE_INTEGER, MAX_VALUES, FrozenDict, FrozenList
from fin_messenger_auth.testing import FrozenClock, throwaway_builder, verify

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.filterwarnings("ignore:The attribute:fin_messenger_auth.FinMessengerAuthWarning")

NOW = 1_700_000_000
BUILDER = throwaway_builder(clock=FrozenClock(NOW))


class Changing(dict[str, Any]):
    """A mapping that an application changes later."""


def nested() -> dict[str, Any]:
    return Changing(plan="pro", tags=["a", {"b": ["c"]}], owner=Changing(name="Ada", roles=["x"]))


def user_of(attributes: dict[str, Any], of_company: dict[str, Any]) -> MessengerUser:
    return MessengerUser(
        "42", email="ada@example.com", company=Company("7", attributes=of_company), attributes=attributes
    )


def claims(user: MessengerUser) -> str:
    return json.dumps(BUILDER.intercom.claims(user, NOW))


CHANGES_TO_A_DICT: dict[str, Callable[[Any], object]] = {
    "item": lambda values: values.__setitem__("plan", "free"),
    "new item": lambda values: values.__setitem__("admin", 1),
    "del": lambda values: values.__delitem__("plan"),
    "|=": lambda values: values.__ior__({"plan": "free"}),
    "update": lambda values: values.update(plan="free"),
    "setdefault": lambda values: values.setdefault("admin", True),
    "pop": lambda values: values.pop("plan"),
    "popitem": lambda values: values.popitem(),
    "clear": lambda values: values.clear(),
}
CHANGES_TO_A_LIST: dict[str, Callable[[Any], object]] = {
    "item": lambda values: values.__setitem__(0, "z"),
    "slice": lambda values: values.__setitem__(slice(None), ["z"]),
    "del": lambda values: values.__delitem__(0),
    "+=": lambda values: values.__iadd__(["z"]),
    "*=": lambda values: values.__imul__(2),
    "append": lambda values: values.append("z"),
    "extend": lambda values: values.extend("z"),
    "insert": lambda values: values.insert(0, "z"),
    "pop": lambda values: values.pop(),
    "remove": lambda values: values.remove("a"),
    "reverse": lambda values: values.reverse(),
    "sort": lambda values: values.sort(key=str),
    "clear": lambda values: values.clear(),
}
READERS = {
    *("copy", "count", "fromkeys", "get", "index", "items", "keys", "values"),
    *("__class_getitem__", "__contains__", "__getitem__", "__iter__", "__len__", "__reversed__"),
    *("__add__", "__mul__", "__rmul__", "__or__", "__ror__", "__new__", "__init__", "__repr__", "__hash__", "__doc__"),
    *("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__getattribute__", "__sizeof__"),
}


@pytest.mark.parametrize(("kind", "base"), [(FrozenDict, dict), (FrozenList, list)], ids=["dict", "list"])
def test_every_method_that_changes_is_refused(kind: type, base: type) -> None:
    changing = {name for name in vars(base) if name not in READERS}

    assert {name for name in changing if getattr(kind, name) is getattr(base, name)} == set()


@pytest.mark.parametrize("change", CHANGES_TO_A_DICT)
def test_no_dict_of_a_user_can_be_changed(change: str) -> None:
    user = user_of(nested(), nested())
    before = claims(user)
    assert user.company is not None

    for values in (user.attributes, user.company.attributes):
        for each in (values, values["owner"], values["tags"][1]):
            with pytest.raises(TypeError, match="immutable; make a new MessengerUser or Company"):
                CHANGES_TO_A_DICT[change](each)
    assert claims(user) == before


@pytest.mark.parametrize("change", CHANGES_TO_A_LIST)
def test_no_list_of_a_user_can_be_changed(change: str) -> None:
    user = user_of(nested(), nested())
    before = claims(user)
    assert user.company is not None

    for values in (user.attributes, user.company.attributes):
        for each in (values["tags"], values["tags"][1]["b"], values["owner"]["roles"]):
            with pytest.raises(TypeError, match="immutable; make a new MessengerUser or Company"):
                CHANGES_TO_A_LIST[change](each)
    assert claims(user) == before


@pytest.mark.parametrize("field", dataclasses.fields(MessengerUser), ids=lambda field: field.name)
def test_no_field_can_be_set_or_deleted(field: dataclasses.Field[Any]) -> None:
    user = user_of(nested(), nested())

    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(user, field.name, "x")
    with pytest.raises(dataclasses.FrozenInstanceError):
        delattr(user, field.name)


def test_changes_to_the_original_mappings_are_not_signed() -> None:
    attributes, of_company = nested(), nested()
    user = user_of(attributes, of_company)
    before = claims(user)

    for values in (attributes, of_company):
        values["tags"][1]["b"].append("z")
        values["owner"]["roles"].clear()
        values["owner"].update(name="Eve")
        values.clear()

    assert claims(user) == before


def test_changes_to_the_claims_are_not_signed_on_the_next_page() -> None:
    user = user_of(nested(), nested())
    before = claims(user)

    first = BUILDER.intercom.claims(user, NOW)
    for values in (first, first["company"]):
        values["tags"][1]["b"].append("z")
        values["owner"]["roles"].clear()
        values["plan"] = "free"

    assert claims(user) == before


def test_a_subclass_that_lies_is_read_once() -> None:
    class Lying(dict[str, Any]):
        reads = 0

        def items(self) -> Any:
            Lying.reads += 1
            return {"plan": f"read {Lying.reads}"}.items()

    user = MessengerUser("42", attributes=Lying())

    assert user.attributes == {"plan": "read 1"}
    assert claims(user) == claims(user)


COPIES: dict[str, Callable[[MessengerUser], MessengerUser]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda user: pickle.loads(pickle.dumps(user)),
    "replace": dataclasses.replace,
}


@pytest.mark.parametrize("how", COPIES)
def test_copies_are_equal_and_just_as_immutable(how: str) -> None:
    user = user_of(nested(), nested())

    made = COPIES[how](user)

    assert made == user
    assert claims(made) == claims(user)
    with pytest.raises(TypeError):
        made.attributes["tags"].append("z")
    with pytest.raises(TypeError):
        made.attributes["owner"].update(name="Eve")


def test_a_user_can_be_replaced_and_converted_to_a_dict() -> None:
    user = user_of(nested(), nested())

    assert dataclasses.replace(user, attributes={"plan": "free"}).attributes == {"plan": "free"}
    plain = dataclasses.asdict(user)
    assert plain["attributes"] == nested()
    assert plain["company"] == {"company_id": "7", "name": None, "attributes": nested()}
    assert json.loads(json.dumps(plain)) == plain


# Lazy objects


class Everyone:
    """Answers with another user at each question, as a proxy may whose request ends meanwhile."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> MessengerUser:
        self.asked += 1
        return MessengerUser(
            f"user {self.asked}",
            name=f"name {self.asked}",
            company=Company(f"company {self.asked}"),
            attributes={"number": self.asked},
        )


def number_of(signed: dict[str, Any]) -> set[str]:
    names = signed["user_id"], signed["name"], signed["company"]["id"], f"number {signed['number']}"
    return {each.rpartition(" ")[2] for each in names}


@pytest.mark.parametrize("through_identify", [True, False])
def test_a_proxy_that_answers_differently_each_time_is_one_user_on_a_page(*, through_identify: bool) -> None:
    everyone = Everyone()
    builder = BUILDER if through_identify else dataclasses.replace(BUILDER, identify=lambda user: user)

    decoded = verify(builder.build_settings(LocalProxy(everyone)), now=NOW)

    assert decoded.intercom
    assert decoded.salesforce
    assert len(number_of(decoded.intercom.claims)) == 1
    assert decoded.salesforce.claims["sub"] == decoded.intercom.claims["user_id"]


def test_a_lazy_object_is_evaluated_once() -> None:
    everyone = Everyone()

    settings = BUILDER.build_settings(SimpleLazyObject(everyone))

    assert (settings["user_id"], everyone.asked) == ("user 1", 1)


@pytest.mark.parametrize("lazy", [SimpleLazyObject, LocalProxy])
@pytest.mark.filterwarnings("error::fin_messenger_auth.FinMessengerAuthWarning")
def test_a_lazy_user_is_resolved_to_the_user_without_a_second_check(lazy: Any) -> None:
    with pytest.warns(FinMessengerAuthWarning, match="e-mail"):
        user = MessengerUser("ada@example.com")

    assert identify(lazy(lambda: user)) is user
    assert BUILDER.build(lazy(lambda: user)) == BUILDER.build(user)


@pytest.mark.parametrize("lazy", [SimpleLazyObject, LocalProxy])
def test_a_lazy_company_is_resolved_when_the_user_is_made(lazy: Any) -> None:
    companies = [Company("7")]
    user = MessengerUser("42", company=lazy(lambda: companies[-1]))
    before = claims(user)

    companies.append(Company("8"))

    assert type(user.company) is Company
    assert claims(user) == before
    assert MessengerUser("42", company=lazy(lambda: None)).company is None


# Integers, and the limits of attributes and settings


LARGE: dict[str, Any] = {
    "2^53": MAX_SAFE_INTEGER + 1,
    "-2^53": -MAX_SAFE_INTEGER - 1,
    "in a list": [1, [MAX_SAFE_INTEGER + 1]],
    "in an object": {"a": {"b": -MAX_SAFE_INTEGER - 1}},
}


@pytest.mark.parametrize("name", LARGE)
def test_an_integer_that_a_browser_rounds_is_a_warning_in_attributes(name: str) -> None:
    for made in (MessengerUser, Company):
        with pytest.warns(FinMessengerAuthWarning) as caught:
            assert made("42", attributes={"a": LARGE[name]}).attributes["a"] == LARGE[name]
        assert "integer-unsafe" in {getattr(each.message, "code", None) for each in caught}


@pytest.mark.parametrize("name", LARGE)
def test_an_integer_that_a_browser_rounds_is_refused_in_the_page(name: str) -> None:
    with pytest.raises(InvalidClaimError, match="2\\^53; send a str") as caught:
        BUILDER.build_settings(None, extra={"a": LARGE[name]})
    assert (caught.value.claim, caught.value.code) == ("a", "integer-unsafe")


def test_an_integer_that_a_browser_rounds_is_refused_in_a_documented_setting() -> None:
    with pytest.raises(InvalidClaimError) as caught:
        BUILDER.build_settings(None, z_index=MAX_SAFE_INTEGER + 1)
    assert (caught.value.claim, caught.value.code) == ("z_index", "integer-unsafe")


@pytest.mark.parametrize("value", [MAX_SAFE_INTEGER, -MAX_SAFE_INTEGER])
@pytest.mark.filterwarnings("error::fin_messenger_auth.FinMessengerAuthWarning")
def test_the_largest_safe_integers_are_fine(value: int) -> None:
    assert MessengerUser("42", attributes={"a": value}).attributes == {"a": value}
    assert BUILDER.build_settings(None, z_index=value, extra={"a": value})["z_index"] == value


def lists(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def objects(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth - 1):
        value = {"a": value}
    return value


AT_THE_LIMIT: dict[str, tuple[Callable[[int], Any], int, str]] = {
    "depth of lists": (lists, MAX_DEPTH, "nested deeper than 64 levels"),
    "depth of objects": (objects, MAX_DEPTH, "nested deeper than 64 levels"),
    "values in a list": (lambda count: [0] * count, MAX_VALUES, "more than 100000 values"),
    "values in an object": (lambda count: {str(n): n for n in range(count)}, MAX_VALUES, "more than 100000 values"),
    "values in all": (lambda count: [[0] * (count - 1 - count // 2), [0] * (count // 2 - 1)], MAX_VALUES, "100000"),
    "bits": (lambda bits: 2**bits - 1, 1023, "too large for JSON readers"),
    "bits of a negative integer": (lambda bits: 1 - 2**bits, 1023, "too large for JSON readers"),
}


@pytest.mark.parametrize("name", AT_THE_LIMIT)
def test_a_value_is_refused_from_one_above_the_limit(name: str) -> None:
    make, limit, said = AT_THE_LIMIT[name]

    for size in (limit - 1, limit):
        assert MessengerUser("42", attributes={"a": make(size)}).attributes["a"] == make(size)
    for attempt in (
        lambda: MessengerUser("42", attributes={"a": make(limit + 1)}),
        lambda: Company("7", attributes={"a": make(limit + 1)}),
        lambda: BUILDER.build_settings(None, extra={"a": make(limit + 1)}),
    ):
        with pytest.raises(InvalidClaimError, match=said) as caught:
            attempt()
        assert (caught.value.claim, caught.value.code) == ("a", "claim-invalid")
