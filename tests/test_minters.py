"""The rules of each token, as the article has them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from fin_messenger_auth import (
    Company,
    HMACSigner,
    IntercomMinter,
    MessengerUser,
    RSASigner,
    SalesforceMinter,
    StringKeySource,
)
from fin_messenger_auth._tokens import AUDIENCE_PLACEHOLDER
from fin_messenger_auth.errors import ConfigurationError, FinMessengerAuthWarning
from fin_messenger_auth.testing import throwaway_rsa_key, throwaway_secret
from fin_messenger_auth.testing._throwaway import pem_of

NOW = 1_700_000_000
HMAC = HMACSigner(StringKeySource(throwaway_secret()))
RSA = RSASigner(StringKeySource(pem_of(throwaway_rsa_key())), kid="WebAppKey1")
AUDIENCE = "https://your-salesforce-subdomain-here.my.salesforce-scrt.com"


def salesforce(**changes: Any) -> SalesforceMinter:
    arguments: dict[str, Any] = {"issuer": "intercom.com", "audience": AUDIENCE}
    return SalesforceMinter(changes.pop("signer", RSA), **(arguments | changes))


def test_the_article_s_claims_and_nothing_else() -> None:
    user = MessengerUser(42)

    assert IntercomMinter(HMAC).claims(user, NOW) == {"user_id": "42", "exp": NOW + 3600}
    assert salesforce().claims(user, NOW) == {
        "iss": "intercom.com",
        "sub": "42",
        "aud": AUDIENCE,
        "exp": NOW + 3600,
        "iat": NOW,
    }


def test_minters_are_told_apart_even_where_they_are_alike() -> None:
    for first, second in ((IntercomMinter(HMAC), IntercomMinter(HMAC)), (salesforce(), salesforce())):
        assert first != second
        assert {first: "first", second: "second"}[second] == "second"


def test_everything_that_the_user_is_given_is_signed_for_intercom_only() -> None:
    user = MessengerUser(
        "42",
        email="ada@example.com",
        name="Ada",
        phone="+44",
        created_at=1,
        company=Company(7, name="Acme", attributes={"tier": 1}),
        attributes={"plan": "pro", "trial": False},
        salesforce_subject="003xx",
    )

    assert IntercomMinter(HMAC).claims(user, NOW) == {
        "user_id": "42",
        "exp": NOW + 3600,
        "email": "ada@example.com",
        "name": "Ada",
        "phone": "+44",
        "created_at": 1,
        "company": {"id": "7", "name": "Acme", "tier": 1},
        "plan": "pro",
        "trial": False,
    }
    assert salesforce().claims(user, NOW)["sub"] == "003xx"
    assert len(salesforce().claims(user, NOW)) == 5


def test_empty_texts_are_kept_and_nothing_is_left_out() -> None:
    user = MessengerUser("42", email="", name="", phone="", created_at=0, company=Company("7", name=""))

    claims = IntercomMinter(HMAC).claims(user, NOW)

    assert claims["company"] == {"id": "7", "name": ""}
    assert (claims["email"], claims["name"], claims["phone"], claims["created_at"]) == ("", "", "", 0)


def test_claims_are_fresh_each_time() -> None:
    user = MessengerUser("42", attributes={"a": 1})
    minter = IntercomMinter(HMAC)

    minter.claims(user, NOW)["a"] = 2

    assert minter.claims(user, NOW)["a"] == 1


@pytest.mark.parametrize("lifetime", [timedelta(minutes=5), timedelta(days=30), timedelta(seconds=3600.9)])
def test_lifetimes_are_whole_seconds(lifetime: timedelta) -> None:
    seconds = int(lifetime.total_seconds())

    assert IntercomMinter(HMAC, lifetime=lifetime).claims(MessengerUser("42"), NOW)["exp"] == NOW + seconds
    assert salesforce(lifetime=lifetime).claims(MessengerUser("42"), NOW)["exp"] == NOW + seconds


@pytest.mark.parametrize("lifetime", [3600, 3600.0, "3600", None])
def test_a_bare_number_is_no_lifetime(lifetime: Any) -> None:
    with pytest.raises(TypeError, match="timedelta"):
        IntercomMinter(HMAC, lifetime=lifetime)
    with pytest.raises(TypeError, match="timedelta"):
        salesforce(lifetime=lifetime)


@pytest.mark.parametrize("lifetime", [timedelta(0), timedelta(seconds=-1), timedelta(milliseconds=999)])
def test_a_token_must_live_for_a_second(lifetime: timedelta) -> None:
    with pytest.raises(ConfigurationError, match="at least one second") as caught:
        IntercomMinter(HMAC, lifetime=lifetime)
    assert caught.value.code == "lifetime-invalid"
    with pytest.raises(ConfigurationError, match="at least one second") as caught:
        salesforce(lifetime=lifetime)
    assert caught.value.code == "lifetime-invalid"


def test_a_short_lifetime_is_a_warning_where_the_minter_is_made() -> None:
    with pytest.warns(FinMessengerAuthWarning, match="intercom_user_jwt is 299 s, under 5 minutes") as caught:
        IntercomMinter(HMAC, lifetime=timedelta(seconds=299))
    assert caught[0].filename == __file__
    assert caught[0].message.code == "lifetime-short"  # type: ignore[union-attr]


@pytest.mark.parametrize("alg", ["HS512", "RS256", "none", "hs256", None, ["HS256"]])
def test_intercom_takes_hs256_only(alg: Any) -> None:
    class Other:
        kid = None

        def sign(self, signing_input: bytes, /) -> bytes:
            return signing_input

    signer: Any = Other()
    signer.alg = alg
    with pytest.raises(ConfigurationError, match="intercom_user_jwt is signed with HS256") as caught:
        IntercomMinter(signer)
    assert caught.value.code == "intercom-algorithm"


def test_a_coroutine_named_sign_is_found_at_start_up() -> None:
    class Misnamed:
        alg = "HS256"
        kid = None

        async def sign(self, signing_input: bytes, /) -> bytes:
            return signing_input

    with pytest.raises(ConfigurationError, match="rename it to asign") as caught:
        IntercomMinter(Misnamed())  # type: ignore[arg-type]
    assert caught.value.code == "signer-invalid"


def test_a_signer_whose_alg_cannot_be_read_is_found_at_start_up() -> None:
    class Capricious:
        kid = None

        @property
        def alg(self) -> str:
            raise RuntimeError("hunter2")

        def sign(self, signing_input: bytes, /) -> bytes:
            return signing_input

    with pytest.raises(ConfigurationError, match="alg or kid of Capricious cannot be read") as caught:
        IntercomMinter(Capricious())
    assert caught.value.code == "signer-invalid"


def test_each_token_has_its_own_kind_of_signer() -> None:
    with pytest.raises(ConfigurationError, match="HS256; the signer's alg is 'RS256'") as caught:
        IntercomMinter(RSA)
    assert caught.value.code == "intercom-algorithm"
    with pytest.raises(ConfigurationError, match="RS256 or RS512; the signer's alg is 'HS256'") as caught:
        salesforce(signer=HMAC)
    assert caught.value.code == "salesforce-algorithm"


@pytest.mark.parametrize("signer", [None, "secret", object(), StringKeySource("s" * 32)])
def test_what_is_no_signer_is_refused(signer: Any) -> None:
    with pytest.raises(ConfigurationError, match="expected alg, kid and sign") as caught:
        IntercomMinter(signer)
    assert caught.value.code == "signer-invalid"


def test_salesforce_needs_a_kid() -> None:
    with pytest.raises(ConfigurationError, match="no kid") as caught:
        salesforce(signer=RSASigner(StringKeySource(pem_of(throwaway_rsa_key()))))
    assert caught.value.code == "salesforce-kid-missing"


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("", "value-blank"),
        (" ", "value-blank"),
        (None, "argument-invalid"),
        (["intercom.com"], "argument-invalid"),
        ("\ud800", "argument-invalid"),
        ("x\n", "value-wrapped"),
        ("\tx", "value-wrapped"),
        ('"x"', "value-wrapped"),
        ("`x", "value-wrapped"),
        ("\u200bx", "value-wrapped"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("name", ["issuer", "audience"])
def test_issuer_and_audience_are_strings_without_whitespace_or_quotes_around_them(
    name: str, value: Any, code: str
) -> None:
    with pytest.raises(ConfigurationError, match=name) as caught:
        salesforce(**{name: value})
    assert caught.value.code == code


def test_the_audience_that_keygen_prints_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="replace YOUR-SUBDOMAIN") as caught:
        salesforce(audience=AUDIENCE_PLACEHOLDER)
    assert caught.value.code == "placeholder"


def test_the_issuer_is_kept_byte_for_byte() -> None:
    for issuer in ("https://Issuer.example/", "intercom .com", "INTERCOM.com"):
        assert salesforce(issuer=issuer).claims(MessengerUser("42"), NOW)["iss"] == issuer


def test_fin_s_issuer_with_one_s_own_key_is_a_warning() -> None:
    with pytest.warns(FinMessengerAuthWarning, match=r"fin\.ai") as caught:
        salesforce(issuer="fin.ai")
    assert caught[0].filename == __file__
    assert caught[0].message.code == "issuer-fin"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "audience",
    [
        "https://acme.my.salesforce-scrt.com/",
        "http://acme.my.salesforce-scrt.com",
        "https://acme.my.salesforce.com",
        "acme.my.salesforce-scrt.com",
        "https://my.salesforce-scrt.com",
        "https://evil.example?.my.salesforce-scrt.com",
    ],
)
def test_an_audience_of_another_form_is_a_warning(audience: str) -> None:
    with pytest.warns(FinMessengerAuthWarning, match="audience") as caught:
        minter = salesforce(audience=audience)
    assert caught[0].filename == __file__
    assert caught[0].message.code == "salesforce-audience"  # type: ignore[union-attr]
    assert minter.claims(MessengerUser("42"), NOW)["aud"] == audience


@pytest.mark.parametrize("subdomain", ["acme", "acme--uat.sandbox", "Acme-Dev-ed.develop"])
def test_audiences_of_every_kind_of_org_are_fine(subdomain: str) -> None:
    assert salesforce(audience=f"https://{subdomain}.my.salesforce-scrt.com").audience


@pytest.mark.parametrize("issuer", ["acme ", " acme", "acme\n", "\tacme", 'acme"', '"acme', "acme'", "`acme"])
def test_whatever_stands_at_one_end_of_an_issuer_is_refused(issuer: str) -> None:
    with pytest.raises(ConfigurationError, match="around it, which would count as part of it") as caught:
        salesforce(issuer=issuer)
    assert caught.value.code == "value-wrapped"
