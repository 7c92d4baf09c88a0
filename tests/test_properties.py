"""Any user of JSON attributes comes back out of the tokens as it went in."""

from __future__ import annotations

import contextlib
import copy
import json
import warnings
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fin_messenger_auth import Company, MessengerUser, identify
from fin_messenger_auth._json_values import is_lost
from fin_messenger_auth._users import RESERVED_NAMES
from fin_messenger_auth.errors import FinMessengerAuthError, FinMessengerAuthWarning
from fin_messenger_auth.testing import FrozenClock, throwaway_builder, verify

settings.register_profile("project", deadline=None, suppress_health_check=[HealthCheck.too_slow])  # machines are noisy
settings.load_profile("project")

NOW = 1_700_000_000
BUILDER = throwaway_builder(clock=FrozenClock(NOW))

texts = st.text(st.characters(exclude_categories=["Cs"]))
ids = texts.filter(lambda text: not is_lost(text))
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**200), 2**200)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=10)


def attributes(taken: frozenset[str]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(texts.filter(lambda name: name not in taken), values, max_size=8)


@given(
    user_id=ids,
    subject=st.none() | ids,
    company_id=ids,
    signed=attributes(RESERVED_NAMES),
    of_company=attributes(frozenset({"id", "name"})),
)
def test_signed_values_come_back_as_they_went_in(
    user_id: str, subject: str | None, company_id: str, signed: dict[str, Any], of_company: dict[str, Any]
) -> None:
    before = copy.deepcopy((signed, of_company))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FinMessengerAuthWarning)
        company = Company(company_id, attributes=of_company)
        user = MessengerUser(user_id, attributes=signed, company=company, salesforce_subject=subject)

    decoded = verify(BUILDER.build_settings(user), now=NOW)

    assert decoded.intercom
    assert decoded.salesforce
    expected = {"user_id": user_id, "exp": NOW + 3600, "company": {"id": company_id, **of_company}, **signed}
    assert decoded.intercom.claims == expected
    assert json.dumps(decoded.intercom.claims, sort_keys=True) == json.dumps(expected, sort_keys=True)  # 1, 1.0, True
    assert decoded.salesforce.claims["sub"] == (user_id if subject is None else subject)
    assert (signed, of_company) == before


anything = st.recursive(
    scalars | st.binary() | st.complex_numbers() | st.text() | st.floats() | st.datetimes() | st.dates() | st.uuids(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.sets(st.integers()),
    max_leaves=6,
)


@given(user_id=anything, email=anything, created_at=anything, company=anything, signed=anything, subject=anything)
def test_whatever_is_passed_the_error_is_ours(
    user_id: Any, email: Any, created_at: Any, company: Any, signed: Any, subject: Any
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FinMessengerAuthWarning)
        for attempt in (
            lambda: identify(user_id),
            lambda: MessengerUser(user_id),
            lambda: MessengerUser("42", email=email),
            lambda: MessengerUser("42", created_at=created_at),
            lambda: MessengerUser("42", company=company),
            lambda: BUILDER.build(MessengerUser("42", attributes=signed)),
            lambda: BUILDER.build(MessengerUser("42", attributes={"a": signed})),
            lambda: MessengerUser("42", salesforce_subject=subject),
            lambda: BUILDER.build_settings(None, extra=signed),
            lambda: BUILDER.build_settings(None, z_index=email, company=company),
        ):
            with contextlib.suppress(FinMessengerAuthError):
                attempt()
