"""What is said of secrets, keys, certificates, JWKs and key sets: of each broken one its own code."""

from __future__ import annotations

import json
import re
import warnings
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from fin_messenger_auth._keys import StringKeySource
from fin_messenger_auth._signers import HMACSigner, RSASigner
from fin_messenger_auth.diagnosis import (
    check_certificate,
    check_jwk,
    check_jwks,
    check_key_file,
    check_private_key,
    check_secret,
    check_upload,
    read_verifying_keys,
    run_checks,
)
from fin_messenger_auth.errors import (
    ConfigurationError,
    FinMessengerAuthError,
    FinMessengerAuthWarning,
    InvalidKeyError,
)
from fin_messenger_auth.onboarding import certificate_pem, repair_jwk
from tests.broken_keys import (
    BROKEN,
    CERTIFICATE,
    EC_KEY,
    HEALTHY,
    JWK,
    MODULUS,
    PEM,
    PUBLIC_PEM,
    WRONG_NUMBERS,
    X5C,
    KeyCase,
    certificate,
    chain,
    encrypted,
    foreign_certificate,
)
from tests.broken_tokens import KEY, NOW, OTHER_KEY, SECRET, base64url

ENCRYPTED = encrypted(KEY, b"x")
FORM = (PrivateFormat.PKCS8, NoEncryption())
[OTHER_X5C] = chain(certificate_pem(certificate(OTHER_KEY)))


@pytest.mark.parametrize("case", [*HEALTHY, *BROKEN], ids=str)
def test_each_fault_has_its_own_code(case: KeyCase) -> None:
    assert {each.code for each in case.find()} == case.codes


def test_the_certificate_is_judged_by_the_clock_of_the_machine_if_no_time_is_given() -> None:
    made = certificate(days=11)  # some months ahead of every clock that this can run under, or years behind
    assert {each.code for each in check_certificate(certificate_pem(made))} <= {
        "certificate-not-yet-valid",
        "certificate-validity",
        "certificate-renew",
    }


@pytest.mark.parametrize(
    ("x5c", "hint"),
    [
        (X5C, "must be a list"),
        (["-----BEGIN CERTIFICATE-----"], "PEM lines"),
        ([X5C[:64] + "\n" + X5C[64:]], "newlines"),
        (["-_" + X5C.replace("+", "-").replace("/", "_")], "Base64URL"),
        ([X5C + "A"], "not standard Base64"),
        (["AAAA" + X5C], "certificate cannot be read"),
    ],
    ids=["string", "PEM", "newline", "Base64URL", "cut", "no certificate"],
)
def test_the_message_says_what_is_wrong_with_x5c(x5c: object, hint: str) -> None:
    [found] = check_jwk(json.dumps({**JWK, "x5c": x5c}), now=NOW)
    assert hint in found.message


HOW = {
    "hexadecimal": "n of the JWK is hexadecimal:",
    "a listing by openssl": "n of the JWK is hexadecimal:",
    "upper case": "n of the JWK is hexadecimal:",
    "decimal": "n of the JWK is decimal:",
    "a number": "n of the JWK is a number:",
    "padded": "n of the JWK is padded or has spaces in it:",
    "standard Base64": "n of the JWK is standard Base64 (it contains + or /):",
    "in lines": "n of the JWK is padded or has spaces in it:",
}


@pytest.mark.parametrize("name", HOW)
def test_the_message_says_how_a_number_is_written(name: str) -> None:
    [found] = check_jwk(json.dumps({**JWK, "n": WRONG_NUMBERS[name]}), now=NOW)
    assert found.message.startswith(f"{HOW[name]} expected Base64URL")


@pytest.mark.parametrize(
    ("value", "how"),
    [(None, "is missing or no string:"), (65537, "is a number:"), ("010001", "is hexadecimal or decimal:")],
)
def test_the_message_says_how_the_exponent_is_written(value: object, how: str) -> None:
    [found] = check_jwk(json.dumps({**JWK, "e": value}), now=NOW)
    assert found.message.startswith(f"e of the JWK {how} expected Base64URL")


@pytest.mark.parametrize("document", [foreign_certificate(EC_KEY), EC_KEY.private_bytes(Encoding.PEM, *FORM)])
def test_a_key_that_is_not_rsa_is_called_by_its_algorithm(document: bytes) -> None:
    found = [*check_certificate(document, now=NOW), *check_private_key(document)]
    [message] = [each.message for each in found if each.code == "key-not-rsa"]
    assert re.search(r" is \w+, not RSA", message)
    assert "PublicKey" not in message
    assert "PrivateKey" not in message


@pytest.mark.parametrize("member", ["kty", "kid", "alg", "n", "e"])
def test_the_message_names_the_member(member: str) -> None:
    [found] = check_jwk(json.dumps({**JWK, member: 7}), now=NOW)
    assert (found.code, found.message.split()[0]) == ("jwk-member", member)


def test_a_file_of_keys_is_checked_for_what_it_is() -> None:
    made = certificate(days=20)
    moment = made.not_valid_after_utc.timestamp() + 86_400
    jwk = {"kty": "RSA", "kid": "key-1", "alg": "RS256", "n": "AQAB", "e": "AQAB", "x5c": []}
    for document, code in [
        (certificate_pem(made), "certificate-validity"),
        (made.public_bytes(Encoding.DER), "certificate-validity"),
        (json.dumps(jwk).encode(), "jwk-x5c-missing"),
        (json.dumps({"keys": [jwk]}).encode(), "jwk-x5c-missing"),
        (json.dumps([jwk]).encode(), "jwk-document"),
        (b"{", "jwk-document"),
    ]:
        assert code in {each.code for each in check_key_file(document, now=moment)}
    assert check_key_file(PUBLIC_PEM) == check_key_file(PEM) == []


@pytest.mark.parametrize(
    ("pem", "password"),
    [
        (PEM, None),
        (PEM, b"x"),
        (encrypted(KEY, b"x"), b"x"),
        (encrypted(KEY, b"x"), b"y"),
        (PEM[:500], None),
        (b"", None),
    ],
)
def test_a_key_is_found_fault_with_exactly_where_the_signer_refuses_it(pem: bytes, password: bytes | None) -> None:
    try:
        RSASigner(StringKeySource(pem), password=None if password is None else StringKeySource(password))
    except FinMessengerAuthError:
        assert check_private_key(pem, password=password)
    else:
        assert not check_private_key(pem, password=password)


@pytest.mark.parametrize(
    "secret", ["", " ", PEM.decode(), "short", "x" * 16, "x" * 31, "x" * 32, SECRET, SECRET + "\n"]
)
def test_a_secret_is_found_fault_with_where_the_signer_refuses_it_or_warns(secret: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", FinMessengerAuthWarning)
        try:
            HMACSigner(StringKeySource(secret))
        except (FinMessengerAuthError, FinMessengerAuthWarning):
            assert check_secret(secret.encode())
        else:
            assert not check_secret(secret.encode())


def test_no_finding_holds_a_key_or_a_secret() -> None:
    body = PEM.decode().splitlines()[3]
    for case in BROKEN:
        text = repr(case.find())
        assert body not in text
        assert SECRET not in text


LARGE: dict[str, list[dict[str, Any]]] = {
    "empty": [{} for _ in range(33_000)],
    "with a kid": [{"kid": str(number)} for number in range(6_000)],
    "with an alg": [{"alg": number} for number in range(8_000)],
}


@pytest.mark.parametrize("name", LARGE)
def test_a_key_set_of_99_kilobytes_has_few_findings(name: str, tmp_path: Path) -> None:
    document = json.dumps({"keys": LARGE[name]}, separators=(",", ":")).encode()
    (tmp_path / "jwk.json").write_bytes(document)
    assert 80_000 < len(document) < 110_000
    for found in (
        check_upload(document),
        check_jwks(document),
        run_checks({}, uploaded=document, key_directory=tmp_path),
    ):
        assert 0 < len(found) < 20


MADE_BY_HAND: dict[str, dict[str, object]] = {
    **{f"n, {how}": {"n": n} for how, n in WRONG_NUMBERS.items() if how not in ("a number", "standard Base64")},
    "n, with a zero byte": {"n": base64url(b"\0" + MODULUS)},
    "n, in standard Base64": {"n": b64encode(MODULUS).decode()},
    "e, hexadecimal": {"e": "010001"},
    "e, a number": {"e": 65537},
    "e, as openssl prints it": {"e": "65537 (0x10001)"},
    "n, as openssl prints it": {"n": f"Modulus={MODULUS.hex().upper()}"},
    "n, which the certificate has": {"n": "..."},
    "alg in small letters": {"alg": "rs256"},
    "kty in small letters": {"kty": "rsa"},
    "kty in small letters, with a chain": {"kty": "rsa", "x5c": [OTHER_X5C, X5C]},
    "x5c, line by line": {"x5c": certificate_pem(CERTIFICATE).decode().splitlines()},
    "x5c, no list": {"x5c": X5C},
    "x5c, PEM": {"x5c": [certificate_pem(CERTIFICATE).decode()]},
    "x5c, Base64 of PEM": {"x5c": [b64encode(certificate_pem(CERTIFICATE)).decode()]},
    "x5c, Base64URL": {"x5c": [X5C.replace("+", "-").replace("/", "_").rstrip("=")]},
    "x5c, in lines": {"x5c": [f"{X5C[:64]}\n{X5C[64:]}"]},
    "x5c, a chain": {"x5c": [X5C, OTHER_X5C]},
    "x5c, in the wrong order": {"x5c": [OTHER_X5C, X5C]},
    "the dummies": {"d": "d", "k": "k", "crv": "crv", "y": "y"},
}


@pytest.mark.parametrize("how", MADE_BY_HAND)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_jwk_that_was_made_by_hand_is_repaired(how: str, encoding: str) -> None:
    document = json.dumps({**JWK, **MADE_BY_HAND[how]}).encode(encoding)

    assert repair_jwk(document, now=datetime.fromtimestamp(NOW, UTC)) == JWK


@pytest.mark.parametrize("how", [each for each in MADE_BY_HAND if each != "the dummies"])
def test_the_fix_of_a_jwk_that_was_made_by_hand_is_its_repair(how: str) -> None:
    found = check_jwk(json.dumps({**JWK, **MADE_BY_HAND[how]}), now=NOW)

    assert {each.fix for each in found} == {
        "Repair it: `fin-messenger-auth jwk --repair jwk.json > new.json && mv new.json jwk.json`, and upload jwk.json."
    }


def test_a_key_set_is_repaired_key_by_key_and_nothing_else_is_said_to_be_repairable() -> None:
    repaired = repair_jwk(
        json.dumps({"keys": [{**JWK, "n": MODULUS.hex()}]}).encode(), now=datetime.fromtimestamp(NOW, UTC)
    )
    assert repaired == {"keys": [JWK]}
    [found] = check_jwk(json.dumps({**JWK, "x5c": [[X5C]]}), now=NOW)
    assert "--repair" not in found.message + found.fix
    for document, says in [
        (b"{'kty': 1}", "not valid"),
        (b"<html>", "a page"),
        (b'{"n": 1' + b"0" * 500, "a number as n"),
    ]:
        assert says in check_jwk(document)[0].message


@pytest.mark.parametrize(
    ("members", "code"),
    [({"alg": "PS256"}, "jwk-member"), ({"x5c": []}, "jwk-x5c-missing"), ({"kid": ""}, "jwk-member")],
)
def test_what_does_not_follow_from_the_file_is_not_repaired(members: dict[str, Any], code: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        repair_jwk(json.dumps({**JWK, **members}).encode())
    assert caught.value.code == code


def test_keys_to_verify_with_are_read_in_every_form() -> None:
    forms = [PEM, PUBLIC_PEM, certificate_pem(CERTIFICATE), b64encode(PUBLIC_PEM), json.dumps([JWK]).encode()]
    for document in forms:
        assert [each.public_key for each in read_verifying_keys(document)] == [KEY.public_key()]
    of_openssh = KEY.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    assert [each.public_key for each in read_verifying_keys(of_openssh + b" ada@laptop\n")] == [KEY.public_key()]
    with pytest.raises(InvalidKeyError, match="cannot be read"):
        read_verifying_keys(of_openssh[:90])
    with pytest.raises(InvalidKeyError, match="is not valid JSON"):
        read_verifying_keys(b"no key")
