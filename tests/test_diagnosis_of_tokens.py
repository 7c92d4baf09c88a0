"""What is said of tokens: of each broken one its own code, of a healthy one nothing."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey, RSAKey

from fin_messenger_auth import IntercomMinter
from fin_messenger_auth._jws import parse_token
from fin_messenger_auth._keys import StringKeySource
from fin_messenger_auth._signers import HMACSigner, RSASigner
from fin_messenger_auth.cli import main
from fin_messenger_auth.diagnosis import (
    Document,
    Expected,
    Level,
    VerifyingKey,
    check_intercom_token,
    check_page,
    check_pair,
    check_salesforce_token,
    check_settings,
    has_errors,
    read_verifying_keys,
)
from fin_messenger_auth.diagnosis._token_checks import duration, kids_of, quoted
from fin_messenger_auth.errors import InvalidKeyError
from fin_messenger_auth.onboarding import make_jwk, make_jwks, self_signed_certificate
from fin_messenger_auth.sandbox import Sandbox
from fin_messenger_auth.testing import throwaway_builder, throwaway_rsa_key
from fin_messenger_auth.testing._throwaway import pem_of
from tests.broken_tokens import (
    BROKEN_INTERCOM,
    BROKEN_PAGES,
    BROKEN_SALESFORCE,
    EXPECTED,
    HEALTHY_INTERCOM,
    HEALTHY_PAGES,
    HEALTHY_SALESFORCE,
    ISSUER,
    KEY,
    NOW,
    OTHER_KEY,
    SALESFORCE_HEADER,
    SECRET,
    TWO_KEYS,
    PageCase,
    TokenCase,
    base64url,
    intercom,
    salesforce,
    signed,
)


@pytest.mark.parametrize("case", [*HEALTHY_INTERCOM, *BROKEN_INTERCOM], ids=str)
def test_intercom_user_jwt(case: TokenCase) -> None:
    findings = check_intercom_token(case.token, **{"secret": SECRET, "now": NOW, **case.options})
    assert {each.code for each in findings} == case.codes


@pytest.mark.parametrize("case", [*HEALTHY_SALESFORCE, *BROKEN_SALESFORCE], ids=str)
def test_salesforce_identity_token(case: TokenCase) -> None:
    findings = check_salesforce_token(case.token, now=NOW, **case.options)
    assert {each.code for each in findings} == case.codes


def joserfc_verifies(token: str, secret: str) -> bool:
    try:
        claims = jwt.decode(token, OctKey.import_key(secret), algorithms=["HS256"]).claims
        jwt.JWTClaimsRegistry(now=NOW, exp={"essential": False}).validate(claims)
    except (JoseError, ValueError, TypeError):  # TypeError: joserfc 1.6.8 on claims that are a list
        return False
    return True


@pytest.mark.parametrize("case", [*HEALTHY_INTERCOM, *BROKEN_INTERCOM], ids=str)
def test_an_intercom_token_without_errors_is_one_that_joserfc_verifies(case: TokenCase) -> None:
    options = {"secret": SECRET, **case.options}
    refused = has_errors(check_intercom_token(case.token, now=NOW, **options))
    assert refused or joserfc_verifies(case.token, options["secret"])


# The signature of the other tokens is not verified.
NOT_VERIFIED = {"token-swapped", "token-missing", "token-unsigned", "salesforce-algorithm"}
VERIFIED = [case for case in (*HEALTHY_SALESFORCE, *BROKEN_SALESFORCE) if not case.codes & NOT_VERIFIED]


@pytest.mark.parametrize("case", VERIFIED, ids=str)
def test_a_signature_is_judged_as_joserfc_judges_it(case: TokenCase) -> None:
    codes = {each.code for each in check_salesforce_token(case.token, now=NOW, **case.options)}
    verified = False
    for key in case.options["keys"]:
        pem = key.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        try:
            jwt.decode(case.token, RSAKey.import_key(pem), algorithms=["RS256", "RS512"])
        except JoseError:
            continue
        verified = True
    assert verified == ("salesforce-signature" not in codes)


@pytest.mark.parametrize("case", [*HEALTHY_PAGES, *BROKEN_PAGES], ids=str)
def test_the_settings_of_a_page(case: PageCase) -> None:
    assert {each.code for each in check_settings(case.settings)} == case.codes


def test_without_a_secret_it_says_what_it_could_not_check() -> None:
    [finding] = check_intercom_token(intercom().token, now=NOW)
    assert (finding.code, finding.level) == ("unchecked", Level.UNCHECKED)


def test_an_empty_secret_is_found_without_knowing_the_right_one() -> None:
    assert [each.code for each in check_intercom_token(intercom(secret="").token, now=NOW)] == [
        "intercom-secret-altered"
    ]


def test_a_secret_that_is_too_short_leaves_the_signature_unchecked() -> None:
    [finding] = check_intercom_token(intercom().token, secret="short", now=NOW)
    assert (finding.code, finding.level) == ("unchecked", Level.UNCHECKED)


def test_without_key_and_issuer_it_says_what_it_could_not_check() -> None:
    findings = check_salesforce_token(salesforce().token, now=NOW)
    assert [(each.code, each.check) for each in findings] == [("unchecked", "signature"), ("unchecked", "issuer")]
    assert not has_errors(findings)


def test_the_clock_of_the_machine_is_used_if_none_is_given() -> None:
    assert "token-expired" in {each.code for each in check_intercom_token(intercom(exp=1).token, secret=SECRET)}
    assert "token-expired" in {each.code for each in check_salesforce_token(salesforce(exp=1, iat=0).token, **EXPECTED)}


def test_a_pair_identifies_one_user() -> None:
    assert check_pair(intercom().token, salesforce().token) == []
    assert [each.code for each in check_pair(intercom().token, salesforce(sub="43").token)] == ["pair-subject-differs"]
    assert check_pair("", salesforce().token) == []


def test_the_hints_name_the_difference() -> None:
    def message(case: TokenCase) -> str:
        return check_salesforce_token(case.token, now=NOW, **case.options)[0].message

    def kid(kid: str, **options: Any) -> TokenCase:
        return salesforce(header={**SALESFORCE_HEADER, "kid": kid}, **options)

    def altered(secret: str) -> str:
        return check_intercom_token(intercom(secret=secret).token, secret=SECRET, now=NOW)[0].message

    assert message(salesforce(iss=ISSUER + "/")).endswith("; only a final slash differs.")
    assert message(salesforce(options={"issuer": ISSUER + "/"})).endswith("; only a final slash differs.")
    assert message(salesforce(iss=ISSUER + "\n")).endswith("; only whitespace differs.")
    assert message(salesforce(iss=ISSUER.upper())).endswith("; only upper and lower case differs.")
    assert message(salesforce(iss="acme.example")).endswith("; only http:// or https:// differs.")
    assert (
        message(kid("KEY-1"))
        == 'kid of salesforce_identity_token: expected "key-1", got "KEY-1"; only upper and lower case differs.'
    )
    assert message(kid("key-1 ")).endswith("; only whitespace differs.")
    assert message(kid("key-9")) == 'kid of salesforce_identity_token: expected "key-1", got "key-9".'
    swapped = kid("key-1", key=OTHER_KEY, options={"keys": TWO_KEYS})
    assert message(swapped) == 'kid of salesforce_identity_token: expected "key-2", got "key-1".'
    assert "with the secret followed by a newline." in altered(SECRET + "\r\n")
    assert "with the secret in quotes." in altered(f'"{SECRET}"')


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (None, "expected a str, got NoneType"),
        ("a.b", "expected 3 parts, got 2"),
        ("a.b.c.d.e", "expected 3 parts, got 5 (encrypted, JWE)"),
        ("e30=.e30.", "the header has padding or characters that are not Base64URL"),
        ("e30.e.", "the payload is truncated"),
        ("e30.e30.e", "the signature is truncated"),
        ("AAAA.e30.", "the header is not valid JSON"),
        (f"{base64url(b'[' * 100_000)}.e30.", "the header is not valid JSON"),
        (f"e30.{base64url(b'[NaN]')}.", "the payload is not valid JSON"),
        (f"e30.{base64url(b'[]')}.", "the payload is not a JSON object"),
    ],
)
def test_the_parser_says_why_it_refuses(token: object, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(reason)}$"):
        parse_token(token)


def test_the_parser_keeps_what_was_signed() -> None:
    parsed = parse_token(intercom(plan="pro").token)
    assert parsed.header == {"alg": "HS256", "typ": "JWT"}
    assert parsed.claims == {"user_id": "42", "exp": NOW + 3600, "plan": "pro"}
    assert base64url(parsed.signature) == intercom(plan="pro").token.rpartition(".")[2]
    assert parsed.message.decode() == intercom(plan="pro").token.rpartition(".")[0]
    assert not parsed.unsigned


@settings(deadline=None)
@given(st.text() | st.from_regex(r"[\w-]{0,40}\.[\w-]{0,40}\.[\w-]{0,40}"))
def test_no_text_is_too_strange(text: str) -> None:
    assert has_errors(check_intercom_token(text, secret=SECRET, now=NOW))
    assert has_errors(check_salesforce_token(text, now=NOW, **EXPECTED))


json_values = st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(), st.lists)


@settings(deadline=None)
@given(
    st.fixed_dictionaries({}, optional=dict.fromkeys(["alg", "kid", "typ", "crit"], json_values)),
    st.dictionaries(
        st.sampled_from(["user_id", "sub", "iss", "aud", "exp", "iat", "nbf", "company", "x"]), json_values
    ),
)
def test_no_header_and_no_claims_are_too_strange(header: dict[str, object], claims: dict[str, object]) -> None:
    token = signed(header, claims, b"")
    assert has_errors(check_intercom_token(token, secret=SECRET, now=NOW))
    assert has_errors(check_salesforce_token(token, now=NOW, **EXPECTED))


def test_findings_hold_neither_token_nor_secret_nor_user() -> None:
    secret, subject = "the secret that must not be seen anywhere", "user-that-must-not-be-seen"
    for case in (*BROKEN_INTERCOM, *BROKEN_SALESFORCE):
        text = repr(check_intercom_token(case.token, secret=secret, user_id=subject, now=NOW))
        text += repr(check_salesforce_token(case.token, now=NOW, **EXPECTED))
        assert secret not in text
        assert subject not in text
        assert len(case.token) < 20 or case.token not in text
        assert "ada@example.com" not in text


class TestReadingWhatVerifies:
    signer = RSASigner(StringKeySource(pem_of(KEY)), kid="k")
    certificate = self_signed_certificate(signer, KEY.public_key())
    jwk = make_jwk(KEY.public_key(), certificate, kid="k")

    @pytest.mark.parametrize(
        "form", ["jwk", "jwks", "list", "certificate", "certificate DER", "public", "DER", "private"]
    )
    def test_every_form_is_read(self, form: str) -> None:
        documents = {
            "jwk": json.dumps({**self.jwk, "d": "d", "k": "k", "y": "y", "crv": "crv"}).encode(),
            "jwks": json.dumps(make_jwks([self.jwk])).encode(),
            "list": json.dumps([self.jwk]).encode(),
            "certificate": self.certificate.public_bytes(Encoding.PEM),
            "certificate DER": self.certificate.public_bytes(Encoding.DER),
            "public": KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            "DER": KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            "private": pem_of(KEY),
        }
        [key] = read_verifying_keys(documents[form])
        assert key.public_key == KEY.public_key()
        assert key.kid == ("k" if form in ("jwk", "jwks", "list") else None)

    @pytest.mark.parametrize(
        "document",
        [
            b"",
            b"{",
            b"[]",
            b"[" * 5000,
            b'{"keys": {}}',
            b'["no JWK"]',
            b'{"kty": "RSA", "n": 1, "e": "AQAB"}',
            b'{"kty": "EC", "n": "AQAB", "e": "AQAB"}',
            b'{"kty": "RSA", "n": "AQAB", "e": "AQAB", "d": "AQAB"}',
            b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
            b"-----BEGIN CERTIFICATE-----\n",
        ],
    )
    def test_anything_else_is_refused(self, document: bytes) -> None:
        with pytest.raises(InvalidKeyError):
            read_verifying_keys(document)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(119, "119 seconds"), (120, "2 minutes"), (7_199, "120 minutes"), (7_200, "2 hours"), (172_800, "2 days")],
)
def test_a_duration_is_in_the_unit_that_suits_it(seconds: float, said: str) -> None:
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("length", "shown"), [(78, '"' + "i" * 78 + '"'), (79, '"' + "i" * 75 + '…"'), (500, '"' + "i" * 75 + '…"')]
)
def test_a_long_value_is_cut(length: int, shown: str) -> None:
    assert quoted("i" * length) == shown


@pytest.mark.usefixtures("read_here")
def test_a_secret_need_not_be_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret = b"caf\xe9" * 10
    (tmp_path / "secret").write_bytes(secret)
    builder = replace(throwaway_builder(), intercom=IntercomMinter(HMACSigner(StringKeySource(secret))))
    settings = builder.build_settings("42")
    token = settings["intercom_user_jwt"]

    assert check_intercom_token(token, secret=secret) == []
    assert [each.code for each in check_intercom_token(token, secret=secret[:-1] + b"\xe8")] == ["intercom-signature"]
    expected = Expected(secret=secret, keys=[VerifyingKey(throwaway_rsa_key().public_key())])
    assert not has_errors(check_page(Document(json.dumps(settings)), expected))
    assert Sandbox(secret=secret, keys=expected.keys).verdict(settings).intercom == "Verified as 42"
    assert main(["inspect", token, "--secret-file", str(tmp_path / "secret")]) == 0
    assert "user_id" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("number", "expected"), [(1, '"k0"'), (3, '"k0" or "k1" or "k2"'), (4, '"k0" or "k1" or "k2" or another')]
)
def test_of_many_key_ids_three_are_shown(number: int, expected: str) -> None:
    public_key = throwaway_rsa_key().public_key()

    assert kids_of([VerifyingKey(public_key, kid=f"k{each}") for each in range(number)]) == expected
