"""The compact form, held to the vectors of RFC 7515 and to joserfc's own output, byte for byte."""

from __future__ import annotations

import asyncio
import base64
import math
import traceback
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from fin_messenger_auth import HMACSigner, MessengerUser, RSASigner, Signer, StringKeySource, _jws
from fin_messenger_auth._jws import aencode
from fin_messenger_auth.errors import ConfigurationError, InvalidClaimError, SigningError
from fin_messenger_auth.testing import throwaway_builder, throwaway_rsa_key, throwaway_secret
from fin_messenger_auth.testing._throwaway import pem_of

CLAIMS: list[dict[str, Any]] = [
    {"user_id": "42", "exp": 1_700_003_600},
    {"user_id": "42", "name": "Zoë 🙂 </script>", "flag": False, "none": None, "nested": {"a": [1, 2.5, "x/y"]}},
    {"user_id": "\u2028\u2029\x00\x7f\\\"'"},
]


def unbase64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def integer(text: str) -> int:
    return int.from_bytes(unbase64url(text), "big")


def test_hs256_equals_rfc_7515_a_1() -> None:
    key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
    signing_input = (
        b"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
        b".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    )
    signer = HMACSigner(StringKeySource(unbase64url(key)))

    assert _jws.base64url(signer.sign(signing_input)) == b"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"


def test_rs256_equals_rfc_7515_a_2() -> None:
    n = integer(
        "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZ"
        "S-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2"
        "R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcD"
        "TW9gb54h4FRWyuXpoQ"
    )
    d = integer(
        "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_G"
        "O-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQl"
        "BjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0"
        "QU91p1DhOVRuOopznQ"
    )
    signing_input = (
        b"eyJhbGciOiJSUzI1NiJ9"
        b".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    )
    p, q = rsa.rsa_recover_prime_factors(n, 65537, d)
    key = rsa.RSAPrivateNumbers(
        p, q, d, rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q), rsa.RSAPublicNumbers(65537, n)
    ).private_key()
    signer = RSASigner(StringKeySource(pem_of(key)))

    assert _jws.base64url(signer.sign(signing_input)) == (
        b"cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CU"
        b"Ar7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_d"
        b"O--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0ig"
        b"cN_IoypGlUPQGe77Rw"
    )


@pytest.mark.parametrize("claims", CLAIMS)
@pytest.mark.parametrize("kid", [None, "WebAppKey1", "schlüssel"])
def test_hs256_equals_joserfc(claims: dict[str, Any], kid: str | None) -> None:
    header = {"alg": "HS256", "typ": "JWT", **({} if kid is None else {"kid": kid})}
    theirs = jwt.encode(header, claims, OctKey.import_key(throwaway_secret()), default_type=None)

    assert _jws.encode(claims, HMACSigner(StringKeySource(throwaway_secret()), kid=kid)) == theirs


@pytest.mark.parametrize("claims", CLAIMS)
@pytest.mark.parametrize("alg", ["RS256", "RS512"])
@pytest.mark.parametrize("bits", [2048, 3072])
def test_rsa_equals_joserfc(claims: dict[str, Any], alg: Any, bits: int) -> None:
    pem = pem_of(throwaway_rsa_key(bits))
    header = {"alg": alg, "typ": "JWT", "kid": "k"}
    theirs = jwt.encode(header, claims, RSAKey.import_key(pem), algorithms=[alg], default_type=None)

    assert _jws.encode(claims, RSASigner(StringKeySource(pem), kid="k", alg=alg)) == theirs


@dataclass(frozen=True)
class Returning:
    """A third-party signer, by shape alone; a frozen dataclass satisfies the protocol."""

    answer: Any
    alg: str = "HS256"
    kid: str | None = None

    def sign(self, _signing_input: bytes, /) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@dataclass(frozen=True)
class Awaiting:
    answer: Any
    alg: str = "HS256"
    kid: str | None = None

    async def asign(self, _signing_input: bytes, /) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_a_third_party_signer_plugs_in_by_its_shape() -> None:
    signer: Signer = Returning(b"signature")

    token = _jws.encode({}, signer)

    assert token.endswith("." + _jws.base64url(b"signature").decode())


@pytest.mark.parametrize(
    ("answer", "said"), [("text", "str"), (None, "NoneType"), (memoryview(b"x"), "memoryview"), (b"", "b''")]
)
def test_what_is_no_signature_is_a_signing_error(answer: Any, said: str) -> None:
    with pytest.raises(SigningError, match=rf"Returning: expected a signature as bytes, got {said}\."):
        _jws.encode({}, Returning(answer))
    with pytest.raises(SigningError, match=rf"Awaiting: expected a signature as bytes, got {said}\."):
        asyncio.run(_jws.aencode({}, Awaiting(answer)))


def test_what_a_signer_raises_is_named_and_shown_without_its_text() -> None:
    cause = RuntimeError("hunter2")

    for signer in (Returning(cause), Awaiting(cause)):
        with pytest.raises(SigningError) as caught:
            asyncio.run(_jws.aencode({}, signer))
        shown = "".join(traceback.format_exception(caught.value))
        assert "RuntimeError" in str(caught.value)
        assert "in answer" in shown or "in sign" in shown  # the signer's own lines
        assert "hunter2" not in shown


def test_a_signer_s_own_signing_error_is_passed_on_with_its_cause() -> None:
    cause = ConnectionError()
    error = SigningError("the HSM is gone")
    error.__cause__ = cause

    for signer in (Returning(error), Awaiting(error)):
        with pytest.raises(SigningError) as caught:
            asyncio.run(_jws.aencode({}, signer))
        assert caught.value is error
        assert caught.value.__cause__ is cause


class Capricious:
    alg = "HS256"

    @property
    def kid(self) -> str | None:
        raise RuntimeError("hunter2")

    def sign(self, signing_input: bytes, /) -> bytes:
        return signing_input


def test_a_kid_that_cannot_be_read_is_a_signing_error() -> None:
    with pytest.raises(SigningError, match="Capricious raised RuntimeError"):
        _jws.encode({}, Capricious())


def test_an_async_signer_cannot_sign_at_once() -> None:
    with pytest.raises(ConfigurationError, match=r"Awaiting .* abuild") as caught:
        _jws.encode({}, Awaiting(b"x"))
    assert caught.value.code == "signer-async-only"


def _deep(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


def _cycle() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, {1}, b"bytes", object(), "\ud800", 10**5000, _cycle(), _deep(200_000)],
    ids=["nan", "infinity", "set", "bytes", "object", "surrogate", "integer", "cycle", "deep"],
)
def test_claims_without_a_json_form_are_refused(value: Any) -> None:
    with pytest.raises(InvalidClaimError, match="not a JSON value") as caught:
        _jws.encode({"fine": 1, "bad": value}, Returning(b"x"))
    assert (caught.value.claim, caught.value.code) == ("claims", "claim-invalid")


def test_a_signing_error_of_an_async_signer_is_passed_on() -> None:
    class Refusing:
        alg, kid = "HS256", None

        async def asign(self, _signing_input: bytes, /) -> bytes:
            raise SigningError("Not today.")

    with pytest.raises(SigningError, match=r"^Not today\.$") as caught:
        asyncio.run(aencode({}, Refusing(), "intercom_user_jwt"))
    assert caught.value.token == "intercom_user_jwt"


def test_a_claim_that_is_not_json_is_refused_before_an_async_signer_is_asked() -> None:
    class Unasked:
        alg, kid = "HS256", None

        async def asign(self, _signing_input: bytes, /) -> bytes:
            raise AssertionError

    with pytest.raises(InvalidClaimError, match="not a JSON value"):
        asyncio.run(aencode({"plan": object()}, Unasked(), "intercom_user_jwt"))


def test_a_signing_error_of_a_header_is_passed_on() -> None:
    class Nameless:
        kid = None

        @property
        def alg(self) -> str:
            raise SigningError("the HSM is gone")

        def sign(self, signing_input: bytes, /) -> bytes:
            return signing_input

    with pytest.raises(SigningError, match=r"^the HSM is gone$") as caught:
        _jws.encode({}, Nameless(), "intercom_user_jwt")
    assert caught.value.token == "intercom_user_jwt"


def test_a_minter_signs_alone_too() -> None:
    minter, user = throwaway_builder().intercom, MessengerUser("42")

    assert minter.mint(user, 1) == asyncio.run(minter.amint(user, 1))
