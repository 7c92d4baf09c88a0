"""One rule for IDs: ``MessengerUser`` refuses exactly the IDs that the diagnosis of a token calls lost."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fin_messenger_auth import Company, MessengerUser
from fin_messenger_auth.diagnosis import check_intercom_token, check_salesforce_token
from fin_messenger_auth.errors import FinMessengerAuthWarning, InvalidClaimError
from tests.broken_tokens import INTERCOM_CLAIMS, INTERCOM_HEADER, KID, NOW, SECRET, base64url, signed

WORDS = ("None", "null", "undefined", "NaN", "nil", "AnonymousUser", "[object Object]")
INVISIBLE = {
    **{f"U+{code:04X}": chr(code) for code in (0x00, 0x01, 0x08, 0x1B, 0x1C, 0x1F, 0x7F, 0x85, 0x9F)},  # control
    **{f"U+{code:04X}": chr(code) for code in (0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x20, 0xA0, 0x1680, 0x2003, 0x3000)},
    **{f"U+{code:04X}": chr(code) for code in (0x2028, 0x2029, 0x202F, 0x205F)},  # separators
    **{f"U+{code:04X}": chr(code) for code in (0xAD, 0x200B, 0x200C, 0x200D, 0x200E, 0x2060, 0x2066, 0xFEFF)},  # format
    **{f"U+{code:04X}": chr(code) for code in (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0)},  # letters
    **{f"U+{code:04X}": chr(code) for code in (0x2800, 0xE0001, 0xE0020)},  # the Braille blank, tags
    **{f"U+{code:04X}": chr(code) for code in (0xE000, 0xFFFF)},  # private use, not a character
}
LOST = {
    "empty": "",
    **{f"as {word}": word for word in WORDS},
    **{f"lower {word}": word.lower() for word in WORDS},
    **{f"upper {word}": word.upper() for word in WORDS},
    **{f"space around {word}": f"  {word}\n" for word in WORDS},
    **{f"byte order mark before {word}": f"\ufeff{word}" for word in WORDS},
    **{f"zero-width space in {word}": f"{word[:2]}\u200b{word[2:]}" for word in WORDS},
    **INVISIBLE,
    **{f"twice {name}": 2 * character for name, character in INVISIBLE.items()},
    **{f"None and {name}": f"{character}None" for name, character in INVISIBLE.items()},
    "all of them": "".join(INVISIBLE.values()),
}
NOT_LOST = {
    **{
        each: each
        for each in ("0", "42", "-", "no", "nobody", "null0", "Nones", "undefined.", "un defined", "[object]", "N/A")
    },
    "Cyrillic": "Я",
    "Hangul": "한",
    "Braille": "⠁",
    "emoji with a joiner": "\U0001f469\u200d\U0001f52c",
    "space inside": "a b",
    "space around": " a ",
    "zero-width space inside": "a\u200bb",
    "combining mark": "e\u0301",
    "true": "true",
    "e-mail": "ada@example.com",
}


def codes_of_the_diagnosis(user_id: str) -> tuple[set[str], set[str]]:
    """The codes about the user that are found in each of the two tokens."""
    intercom = signed(INTERCOM_HEADER, {**INTERCOM_CLAIMS, "user_id": user_id}, SECRET.encode())
    unsigned = signed({"alg": "RS256", "kid": KID}, {"iss": "i", "sub": user_id, "exp": NOW + 60}, b"-").rpartition(".")
    salesforce = f"{unsigned[0]}.{base64url(b'signature')}"
    found = check_intercom_token(intercom, secret=SECRET, now=NOW), check_salesforce_token(salesforce, now=NOW)
    of_intercom, of_salesforce = ({each.code for each in findings if "user" in each.code} for findings in found)
    return of_intercom, of_salesforce


def codes_of(make: Any) -> set[str]:
    """The code of the error, or the codes of the warnings."""
    with warnings.catch_warnings(record=True) as issued:
        warnings.simplefilter("always")
        try:
            make()
        except InvalidClaimError as error:
            return {error.code}
    return {each.message.code for each in issued if isinstance(each.message, FinMessengerAuthWarning)}


def check_same_judgement(user_id: str) -> set[str]:
    codes = codes_of(lambda: MessengerUser(user_id))
    assert (codes, codes) == codes_of_the_diagnosis(user_id)
    return codes


@pytest.mark.parametrize("name", LOST)
def test_a_lost_id_is_refused_and_found(name: str) -> None:
    assert check_same_judgement(LOST[name]) == {"user-id-lost"}
    assert codes_of(lambda: MessengerUser("42", salesforce_subject=LOST[name])) == {"user-id-lost"}
    assert codes_of(lambda: Company(LOST[name])) == {"user-id-lost"}


@pytest.mark.parametrize("name", NOT_LOST)
def test_another_id_is_neither(name: str) -> None:
    assert check_same_judgement(NOT_LOST[name]) == ({"user-id-email"} if name == "e-mail" else set())


pieces = st.sampled_from([*WORDS, *INVISIBLE.values(), "a", "0", "@", "."])
ids = st.lists(pieces, max_size=5).map("".join) | st.text(st.characters(exclude_categories=["Cs"]))


@given(ids)
@settings(deadline=None, max_examples=300)
def test_any_id_is_judged_alike(user_id: str) -> None:
    check_same_judgement(user_id)
