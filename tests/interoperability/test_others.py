"""Other libraries, in four languages, verify what is made here and read the same claims from it."""

from __future__ import annotations

import base64
import json
import math
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jwcrypto.jwk
import jwcrypto.jwt
import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fin_messenger_auth import (
    Company,
    HMACSigner,
    IntercomMinter,
    MessengerUser,
    RSASigner,
    SalesforceMinter,
    StringKeySource,
    TokenPairBuilder,
)
from fin_messenger_auth.onboarding import make_jwk, self_signed_certificate
from fin_messenger_auth.testing import throwaway_secret
from fin_messenger_auth.testing._throwaway import pem_of

if TYPE_CHECKING:
    from tests.conftest import Program

pytestmark = pytest.mark.filterwarnings("ignore::fin_messenger_auth.errors.FinMessengerAuthWarning")

HERE = Path(__file__).parent
SECRET = throwaway_secret()
TEXTS = {
    "ascii": "Ada Lovelace",
    "every ASCII character": "".join(map(chr, range(128))),
    "letters": "Ünïcödé ß ñ Ω Ж 漢字 한글 עברית العربية ไทย",
    "beyond the basic plane": "👩\u200d👩\u200d👧 \U0010ffff \U0001d56c",
    "separators": "\u2028\u2029\ufeff\u200b\u0085\xa0",
    "combining": "e\u0301 \u00e9 \u0344",
    "script": "</script><!--{{7*7}}${x}\\u003c",
}
NUMBERS = {
    "zero": 0,
    "false": False,
    "null": None,
    "largest safe integer": 2**53 - 1,
    "smallest safe integer": 1 - 2**53,
    "beyond it": 2**63,
    "1023 bits": 2**1023 - 1,
    "largest double": 1.7976931348623157e308,
    "smallest double": 5e-324,
    "tenth": 0.1,
    "exponent": -1.5e-7,
    "negative zero": -0.0,
    "2100": 4_102_444_800,
}


@cache
def users() -> list[MessengerUser]:
    nested = {"a": [1, [2.5, {"ключ": [True, None, ""]}]]}
    return [
        *(MessengerUser(f"id {text}", name=text, attributes={text: text}) for text in TEXTS.values()),
        MessengerUser(2**70, attributes=NUMBERS),
        MessengerUser("42", company=Company(7, name="Ünï", attributes=nested)),
        MessengerUser("4" * 200, attributes={f"field_{number}": "é" * 255 for number in range(250)}),
    ]


@dataclass(frozen=True)
class Key:
    """An RSA key, as the two platforms and other libraries hold it."""

    signer: RSASigner
    jwk: dict[str, Any]
    pem: str


@cache
def key_of(bits: int, alg: Any) -> Key:
    key: RSAPrivateKey = generate_private_key(65537, bits)
    signer = RSASigner(StringKeySource(pem_of(key)), kid="clé 1 🔑", alg=alg)
    public = key.public_key()
    jwk = make_jwk(public, self_signed_certificate(signer, public), kid=signer.kid, alg=alg)
    return Key(signer, jwk, public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())


@dataclass(frozen=True)
class Case:
    """A token, what verifies it, and what must be read from it; ``None`` if it must be refused."""

    token: str
    alg: str
    secret: str | None
    jwk: dict[str, Any]
    pem: str
    claims: dict[str, Any] | None


@cache
def cases() -> list[Case]:
    now, made = int(time.time()), []
    for bits, alg in ((2048, "RS256"), (2048, "RS512"), (3072, "RS256"), (4096, "RS512")):
        key = key_of(bits, alg)
        salesforce = SalesforceMinter(
            key.signer, issuer="https://ü.example", audience="https://a.my.salesforce-scrt.com"
        )
        intercom = IntercomMinter(HMACSigner(StringKeySource(SECRET)))
        builder = TokenPairBuilder(app_id="a", intercom=intercom, salesforce=salesforce, clock=lambda: now)
        for user in users():
            pair = builder.build(user)
            assert pair
            assert pair.salesforce_identity_token
            first, second = pair.intercom_user_jwt, pair.salesforce_identity_token
            made.append(Case(first, "HS256", SECRET, {}, "", intercom.claims(user, now)))
            made.append(Case(second, alg, None, key.jwk, key.pem, salesforce.claims(user, now)))
    made += [forged(case, other) for case, other in zip(made, made[2:], strict=False) if case.alg == other.alg]
    return made


def forged(case: Case, other: Case) -> Case:
    """Return the claims of one token under the signature of another."""
    token = f"{case.token.rpartition('.')[0]}.{other.token.rpartition('.')[2]}"
    return Case(token, case.alg, case.secret, case.jwk, case.pem, None)


def check(read: list[Any], number: Callable[[Any], Any] = lambda value: value) -> None:
    """Compare what a library read with the claims, as far as its language holds numbers."""
    expected = [as_read(case.claims, number) for case in cases()]
    assert expected.count(None) > 50
    assert len(expected) - expected.count(None) == 8 * len(users())
    assert [as_read(each, number) for each in read] == expected


def as_read(value: Any, number: Callable[[Any], Any]) -> Any:
    if isinstance(value, dict):
        return {name: as_read(item, number) for name, item in value.items()}
    if isinstance(value, list):
        return [as_read(item, number) for item in value]
    return number(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def double(value: float) -> tuple[float, float]:
    """Return a number as JavaScript holds it, and its sign."""
    return float(value), math.copysign(1, value) if value else 1  # JSON.stringify makes 0 of -0


def in_process(verify: Callable[[Case], Any], *refusals: type[Exception]) -> list[Any]:
    read = []
    for case in cases():
        try:
            read.append(verify(case))
        except refusals:
            read.append(None)
    return read


def test_pyjwt() -> None:
    options: Any = {"verify_aud": False}

    def verify(case: Case) -> Any:
        key = case.secret or pyjwt.PyJWK(case.jwk).key
        return pyjwt.decode(case.token, key, algorithms=[case.alg], options=options)

    check(in_process(verify, pyjwt.InvalidSignatureError))


def test_jwcrypto() -> None:
    def verify(case: Case) -> Any:
        oct_key = {"kty": "oct", "k": base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("=")}
        key = jwcrypto.jwk.JWK(**(case.jwk or oct_key))
        return json.loads(jwcrypto.jwt.JWT(jwt=case.token, key=key, algs=[case.alg]).claims)

    check(in_process(verify, jwcrypto.jws.InvalidJWSSignature))


def run(command: list[str], text: str, directory: Path | None = None) -> str:
    done = subprocess.run(command, input=text.encode(), cwd=directory, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def as_json() -> str:
    return json.dumps([vars(case) for case in cases()])


@pytest.fixture(scope="module")
def node_modules(program: Program, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("node")
    shutil.copy(HERE.parents[1] / "bench" / "other_languages" / "package.json", directory)
    shutil.copy(HERE / "verify.mjs", directory)
    install = [program("npm"), "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
    installed = subprocess.run(install, cwd=directory, capture_output=True, check=False)
    if installed.returncode:
        if "npm" in os.environ.get("FIN_MESSENGER_AUTH_PARTS", "").split():
            pytest.fail("npm could not install jose, jsonwebtoken and fast-jwt")
        pytest.skip("npm could not install jose, jsonwebtoken and fast-jwt on this machine")
    return directory


def test_node_jose_jsonwebtoken_and_fast_jwt(program: Program, node_modules: Path) -> None:
    printed = json.loads(run([program("node"), "verify.mjs"], as_json(), node_modules))

    assert printed.keys() == {"jose", "jsonwebtoken", "fast-jwt"}
    for read in printed.values():
        check(read, double)


def test_ruby_jwt(program: Program) -> None:
    check(json.loads(run([program("ruby"), str(HERE / "verify.rb")], as_json()))["ruby-jwt"])


def test_the_jdk_alone(program: Program) -> None:
    lines = [
        f"{case.alg} {base64.b64encode(SECRET.encode()).decode() if case.secret else case.jwk['x5c'][0]} {case.token}"
        for case in cases()
    ]
    printed = run([program("java"), str(HERE / "Verify.java")], "\n".join(lines)).split()

    check([None if each == "refused" else json.loads(base64.b64decode(each)) for each in printed])


def test_openssl(program: Program, tmp_path: Path) -> None:
    openssl, key, message, signature = (
        program("openssl"),
        *(tmp_path / name for name in ("key", "message", "signature")),
    )
    read: list[Any] = []
    for case in cases():
        signed, _, last = case.token.rpartition(".")
        message.write_text(signed)
        signature.write_bytes(base64.urlsafe_b64decode(last + "=="))
        if case.secret:
            hmac = [
                "mac",
                "-digest",
                "SHA256",
                "-macopt",
                f"hexkey:{SECRET.encode().hex()}",
                "-in",
                str(message),
                "HMAC",
            ]
            valid = bytes.fromhex(run([openssl, *hmac], "")) == signature.read_bytes()
        else:
            key.write_text(case.pem)
            command = [openssl, "dgst", f"-sha{case.alg[2:]}", "-verify", str(key), "-signature", str(signature)]
            done = subprocess.run([*command, str(message)], capture_output=True, check=False)
            valid = done.stdout == b"Verified OK\n"
        claims = signed.partition(".")[2]
        read.append(json.loads(base64.urlsafe_b64decode(claims + "==")) if valid else None)

    check(read)


def test_openssl_reads_the_certificate(program: Program) -> None:
    for bits, alg in ((2048, "RS256"), (4096, "RS512")):
        der = base64.b64decode(key_of(bits, alg).jwk["x5c"][0])
        command = [program("openssl"), "x509", "-inform", "DER", "-noout", "-pubkey", "-checkend", "864000"]
        done = subprocess.run(command, input=der, capture_output=True, check=False)

        assert done.returncode == 0, done.stderr
        assert done.stdout.decode().startswith(key_of(bits, alg).pem)
