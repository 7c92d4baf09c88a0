"""The ids that read as lost are one list: what ``inspect`` reports of a token, the user refuses."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fin_messenger_auth import Company, FinMessengerAuthWarning, InvalidClaimError, MessengerUser
from fin_messenger_auth.diagnosis import check_intercom_token, check_salesforce_token
from fin_messenger_auth.jws import encode
from fin_messenger_auth.testing import throwaway_builder

LOST_WORDS = ("none", "null", "undefined", "nan", "nil", "AnonymousUser", "[object Object]")
INVISIBLE = {
    "space": " ",
    "newline": "\n",
    "tab": "\t",
    "null": "\0",
    "escape": "\x1b",
    "delete": "\x7f",
    "next line": "\x85",
    "no-break space": "\u00a0",
    "soft hyphen": "\u00ad",
    "grapheme joiner": "\u034f",
    "Hangul filler": "\u3164",
    "halfwidth Hangul filler": "\uffa0",
    "Hangul choseong filler": "\u115f",
    "Khmer vowel": "\u17b4",
    "en quad": "\u2000",
    "zero-width space": "\u200b",
    "zero-width joiner": "\u200d",
    "right-to-left mark": "\u200f",
    "line separator": "\u2028",
    "word joiner": "\u2060",
    "Braille blank": "\u2800",
    "ideographic space": "\u3000",
    "byte order mark": "\ufeff",
    "tag": "\U000e0041",
    "private use": "\ue000",
}
LOST: dict[str, str] = {
    "nothing": "",
    **{word: word for word in LOST_WORDS},
    **{f"{word}, upper": word.upper() for word in LOST_WORDS},
    **{f"{word}, lower": word.lower() for word in LOST_WORDS},
    **{f"{word}, title": word.title() for word in LOST_WORDS},
    **{f"{word}, spaces": f"  {word} " for word in LOST_WORDS},
    **INVISIBLE,
    **{f"three of {name}": each * 3 for name, each in INVISIBLE.items()},
    **{f"null before {name}": f"null{each}" for name, each in INVISIBLE.items()},
    **{f"None behind {name}": f"{each}None" for name, each in INVISIBLE.items()},
    **{f"{name} in undefined": f"unde{each}fined" for name, each in INVISIBLE.items() if each != " "},
    "all of them": "".join(INVISIBLE.values()),
}
KEPT: dict[str, str] = {
    each: each
    for each in ("0", "42", " 42 ", "false", "nobody", "nulls", "non e", "null-42", "objects", "é", "用户", "ㅤ1", "🙂")
}  # fmt: skip
BUILDER = throwaway_builder()


def refuses(make: Callable[[], object]) -> bool:
    try:
        make()
    except InvalidClaimError as error:
        return error.code == "user-id-lost"
    return False


def reports(user_id: str) -> list[bool]:
    assert BUILDER.salesforce is not None
    intercom = encode({"user_id": user_id, "exp": 3600}, BUILDER.intercom.signer)
    salesforce = encode({"sub": user_id, "exp": 3600}, BUILDER.salesforce.signer)
    return [
        any(each.code == "user-id-lost" for each in findings)
        for findings in (check_intercom_token(intercom, now=0), check_salesforce_token(salesforce, now=0))
    ]


@pytest.mark.parametrize("name", [*LOST, *KEPT])
def test_the_user_refuses_the_ids_that_inspect_calls_lost(name: str) -> None:
    user_id, lost = {**LOST, **KEPT}[name], name in LOST

    assert reports(user_id) == [lost, lost]
    assert refuses(lambda: MessengerUser(user_id)) is lost
    assert refuses(lambda: MessengerUser("42", salesforce_subject=user_id)) is lost
    assert refuses(lambda: Company(user_id)) is lost


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(LOST_WORDS).flatmap(
    lambda word: st.text(st.sampled_from([*word, *INVISIBLE.values()]), min_size=len(word) - 1)
))  # fmt: skip
def test_whatever_an_id_is_user_and_inspect_agree(user_id: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FinMessengerAuthWarning)
        refused = refuses(lambda: MessengerUser(user_id))

    assert reports(user_id) == [refused, refused]
