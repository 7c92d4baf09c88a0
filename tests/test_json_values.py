"""What goes into a token or a page: the limits, one below, at and above each."""

from __future__ import annotations

from typing import Any

import pytest

from fin_messenger_auth import FinMessengerAuthWarning, InvalidClaimError, MessengerUser
from fin_messenger_auth.json_values import MAX_DEPTH, MAX_VALUES, has_unsafe_integer, json_value
from fin_messenger_auth.testing import throwaway_builder


def nested(levels: int, kind: type) -> Any:
    """A value of so many lists, or dicts, one in another."""
    value: Any = kind()
    for _ in range(levels - 1):
        value = {"a": value} if kind is dict else kind([value])
    return value


def as_lists(value: Any) -> Any:
    return list(map(as_lists, value)) if isinstance(value, list | tuple) else value


@pytest.mark.parametrize("kind", [list, tuple, dict])
def test_values_may_be_nested_to_the_limit(kind: type) -> None:
    for levels in (1, MAX_DEPTH - 1, MAX_DEPTH):
        value = nested(levels, kind)
        assert json_value(value, "a") == (value if kind is dict else as_lists(value))
    for levels in (MAX_DEPTH + 1, MAX_DEPTH + 2, 100_000):
        with pytest.raises(InvalidClaimError, match="nested deeper than 64 levels") as caught:
            json_value(nested(levels, kind), "a")
        assert (caught.value.code, caught.value.claim) == ("claim-invalid", "a")


def test_the_depth_is_that_of_one_branch() -> None:
    value = [nested(MAX_DEPTH - 1, list)] * 3

    assert json_value(value, "a") == value


def of_size(number: int, shape: str) -> Any:
    """A value of so many values in all."""
    if shape == "names":
        return {str(each): 0 for each in range(number)}
    half = number // 2
    return [0] * number if shape == "flat" else [[0] * (half - 1), [0] * (number - half - 1)]


@pytest.mark.parametrize("shape", ["flat", "names", "halves"])
def test_values_are_counted_to_the_limit(shape: str) -> None:
    for number in (MAX_VALUES - 1, MAX_VALUES):
        value = of_size(number, shape)
        assert json_value(value, "a") == value
    with pytest.raises(InvalidClaimError, match="more than 100000 values") as caught:
        json_value(of_size(MAX_VALUES + 1, shape), "a")
    assert caught.value.code == "claim-invalid"


@pytest.mark.parametrize("sign", [1, -1])
def test_integers_may_be_as_large_as_a_double(sign: int) -> None:
    for value in (2**1022, 2**1023 - 1):
        assert json_value(sign * value, "a") == sign * value
        assert float(sign * value)
    for value in (2**1023, 2**1024, 10**5000):
        with pytest.raises(InvalidClaimError, match="too large for JSON readers") as caught:
            json_value(sign * value, "a")
        assert caught.value.code == "claim-invalid"


SAFE = [2**53 - 2, 2**53 - 1]
UNSAFE = [2**53, 2**53 + 1]
WITHIN: dict[str, Any] = {
    "itself": lambda value: value,
    "negative": lambda value: -value,
    "in a list": lambda value: [0, value],
    "in a dict": lambda value: {"a": 0, "b": value},
    "deep": lambda value: {"a": [{"b": [value]}]},
}


@pytest.mark.parametrize("place", WITHIN)
def test_an_integer_beyond_2_53_is_refused_in_a_page_and_warned_of_in_a_token(place: str) -> None:
    builder, within = throwaway_builder(), WITHIN[place]
    for value in map(within, SAFE):
        assert not has_unsafe_integer(value)
        assert builder.build_settings(None, extra={"seats": value})["seats"] == value
    for value in map(within, UNSAFE):
        assert has_unsafe_integer(value)
        with pytest.raises(InvalidClaimError, match=r"^seats: browsers round integers beyond") as caught:
            builder.build_settings(None, extra={"seats": value})
        assert caught.value.code == "integer-unsafe"
        with pytest.warns(FinMessengerAuthWarning) as warned:
            user = MessengerUser("42", attributes={"seats": value})
        codes = [each.message.code for each in warned]  # type: ignore[union-attr]
        assert "integer-unsafe" in codes
        assert builder.intercom.claims(user, 0)["seats"] == value  # a token is not read by the browser
    with pytest.raises(InvalidClaimError) as caught:
        builder.build_settings(None, z_index=UNSAFE[0])
    assert caught.value.code == "integer-unsafe"


def test_no_warning_of_other_numbers() -> None:
    assert not has_unsafe_integer([2.0**80, "9" * 30, True, None, {}])
    assert MessengerUser("42", attributes={"seats": 1e300, "paid": True}).attributes == {"seats": 1e300, "paid": True}
