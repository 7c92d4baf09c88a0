"""What was checked when a user was made is what is signed: nothing done later changes it."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import json
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from django.utils.functional import SimpleLazyObject
from werkzeug.local import LocalProxy

from fin_messenger_auth import Company, MessengerUser, identify
from fin_messenger_auth._json_values import MAX_DEPTH, MAX_SAFE_INTEGER, MAX_VALUES
from fin_messenger_auth.errors import FinMessengerAuthWarning, InvalidClaimError
from fin_messenger_auth.testing import FrozenClock, throwaway_builder, verify

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.filterwarnings("ignore:The attribute:fin_messenger_auth.errors.FinMessengerAuthWarning")

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


# What an application may try: most is refused, and the rest changes a copy only.
CHANGES: dict[str, Callable[[Any], object]] = {
    "field": lambda user: setattr(user, "user_id", "43"),
    "field deleted": lambda user: delattr(user, "attributes"),
    "field of a company": lambda user: setattr(user.company, "company_id", "8"),
    "attribute": lambda user: user.attributes.__setitem__("plan", "free"),
    "attribute, as a dict": lambda user: dict.__setitem__(user.attributes, "plan", "free"),
    "attribute of a company": lambda user: dict.__setitem__(user.company.attributes, "id", "8"),
    "list": lambda user: user.attributes["tags"].append("z"),
    "object in a list": lambda user: user.attributes["tags"][1].update(b="z"),
    "list in an object": lambda user: user.attributes["owner"]["roles"].clear(),
    "list of a company": lambda user: user.company.attributes["tags"].append("z"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_nothing_done_to_a_user_changes_what_is_signed(change: str) -> None:
    user = user_of(nested(), nested())
    before = claims(user)

    with contextlib.suppress(AttributeError, TypeError):
        CHANGES[change](user)

    assert claims(user) == before
    assert user == user_of(nested(), nested())


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


def test_attributes_read_like_a_dict() -> None:
    attributes = user_of({"plan": "pro", "tags": ["a"]}, {}).attributes

    assert repr(attributes) == "{'plan': 'pro', 'tags': ['a']}"
    assert (len(attributes), list(attributes), "plan" in attributes) == (2, ["plan", "tags"], True)
    assert {**attributes} == dict(attributes.items()) == {"plan": "pro", "tags": ["a"]}
    assert pickle.loads(pickle.dumps(attributes)) == attributes == copy.deepcopy(attributes)
    with pytest.raises(KeyError):
        attributes["trial"]


COPIES: dict[str, Callable[[MessengerUser], MessengerUser]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda user: pickle.loads(pickle.dumps(user)),
    "replace": dataclasses.replace,
}


@pytest.mark.parametrize("how", COPIES)
def test_copies_are_equal(how: str) -> None:
    user = user_of(nested(), nested())

    assert COPIES[how](user) == user
    assert claims(COPIES[how](user)) == claims(user)
    assert dataclasses.asdict(user)["company"]["attributes"] == nested()


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
@pytest.mark.filterwarnings("error::fin_messenger_auth.errors.FinMessengerAuthWarning")
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


def test_the_largest_safe_integer_is_that_of_javascript() -> None:
    assert MAX_SAFE_INTEGER == 9_007_199_254_740_991


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
@pytest.mark.filterwarnings("error::fin_messenger_auth.errors.FinMessengerAuthWarning")
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
