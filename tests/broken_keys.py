"""Secrets, keys, certificates, JWKs and key sets with one fault or two, and the codes that must be found."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates
from cryptography.x509 import CertificateBuilder, Name, random_serial_number

from fin_messenger_auth._keys import StringKeySource
from fin_messenger_auth._signers import RSASigner
from fin_messenger_auth.diagnosis import check_certificate, check_jwk, check_jwks, check_private_key, check_secret
from fin_messenger_auth.onboarding import certificate_pem, make_jwk, self_signed_certificate
from fin_messenger_auth.testing import throwaway_rsa_key
from fin_messenger_auth.testing._throwaway import pem_of
from tests.broken_tokens import KEY, NOW, OTHER_KEY, SECRET, base64url

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.x509 import Certificate

    from fin_messenger_auth.diagnosis import Finding

MOMENT = datetime.fromtimestamp(NOW, UTC)
WEAK_KEY = throwaway_rsa_key(1024)


@dataclass(frozen=True)
class KeyCase:
    codes: set[str]
    find: Callable[[], list[Finding]] = field(repr=False)

    def __str__(self) -> str:
        return "+".join(sorted(self.codes)) or "healthy"


def certificate(key: RSAPrivateKey = KEY, *, days: int = 730, begins: timedelta = timedelta()) -> Certificate:
    signer = RSASigner(StringKeySource(pem_of(key)))
    return self_signed_certificate(signer, key.public_key(), days=days, now=MOMENT + begins)


def foreign_certificate_of(key: RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> Certificate:
    builder = CertificateBuilder(Name([]), Name([]), key.public_key(), random_serial_number())
    builder = builder.not_valid_before(MOMENT - timedelta(days=1)).not_valid_after(MOMENT + timedelta(days=365))
    return builder.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else SHA256())


def foreign_certificate(key: RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return certificate_pem(foreign_certificate_of(key))


def encrypted(
    key: RSAPrivateKey | ec.EllipticCurvePrivateKey, password: bytes, form: PrivateFormat = PrivateFormat.PKCS8
) -> bytes:
    return key.private_bytes(Encoding.PEM, form, BestAvailableEncryption(password))


PEM = pem_of(KEY)
PUBLIC_PEM = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()
CERTIFICATE = certificate()
JWK = make_jwk(KEY.public_key(), CERTIFICATE, kid="key-1", now=MOMENT)
X5C: str = JWK["x5c"][0]


def secret(value: str, *codes: str) -> KeyCase:
    return KeyCase(set(codes), lambda: check_secret(value.encode()))


def private_key(pem: bytes, *codes: str, password: bytes | None = None) -> KeyCase:
    return KeyCase(set(codes), lambda: check_private_key(pem, password=password))


def one_certificate(document: bytes, *codes: str, key: RSAPrivateKey | None = KEY) -> KeyCase:
    public_key = None if key is None else key.public_key()
    return KeyCase(set(codes), lambda: check_certificate(document, public_key=public_key, now=NOW))


def raw_jwk(document: str | bytes, *codes: str, key: RSAPrivateKey = KEY) -> KeyCase:
    return KeyCase(set(codes), lambda: check_jwk(document, public_key=key.public_key(), now=NOW))


def jwk(*codes: str, leave_out: str = "", key: RSAPrivateKey = KEY, **members: object) -> KeyCase:
    changed = {name: value for name, value in {**JWK, **members}.items() if name != leave_out}
    return raw_jwk(json.dumps(changed), *codes, key=key)


def jwks(document: object, *codes: str, key: RSAPrivateKey = KEY) -> KeyCase:
    text = document if isinstance(document, str) else json.dumps(document)
    return KeyCase(set(codes), lambda: check_jwks(text, public_key=key.public_key(), now=NOW))


def chain(pem: bytes) -> list[str]:
    return ["".join(pem.decode().splitlines()[1:-1])]


def weak_jwk(*codes: str) -> KeyCase:
    modulus = WEAK_KEY.public_key().public_numbers().n
    members: dict[str, Any] = {
        "n": base64url(modulus.to_bytes(128, "big")),
        "x5c": chain(foreign_certificate(WEAK_KEY)),
    }
    return jwk(*codes, key=WEAK_KEY, **members)


MODULUS = KEY.public_key().public_numbers().n.to_bytes(256, "big")
WRONG_NUMBERS: dict[str, Any] = {
    "hexadecimal": MODULUS.hex(),
    "a listing by openssl": "00:" + MODULUS.hex(":"),
    "upper case": "0x" + MODULUS.hex().upper(),
    "decimal": str(int.from_bytes(MODULUS, "big")),
    "a number": int.from_bytes(MODULUS, "big") >> 1030,
    "padded": base64url(MODULUS) + "==",
    "standard Base64": b64encode(b"\xff\xff" + MODULUS).decode(),
    "in lines": base64url(MODULUS)[:64] + "\n" + base64url(MODULUS)[64:],
}

HEALTHY = [
    secret(SECRET),
    secret(SECRET + "\n"),
    private_key(PEM),
    private_key(KEY.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())),
    private_key(encrypted(KEY, b"password"), password=b"password\n"),
    one_certificate(certificate_pem(CERTIFICATE)),
    one_certificate(CERTIFICATE.public_bytes(Encoding.DER), key=None),
    jwk(),
    jwk(y="y", crv="crv", d="d", k="k"),  # the vendor's dummies
    jwk(leave_out="use"),
    raw_jwk(json.dumps(JWK).encode()),
    jwks({"keys": [JWK]}),
    jwks({"keys": [{**JWK, "kid": "key-2"}, JWK]}),
]

BROKEN = [
    secret(" \n", "secret-short"),
    secret(PEM.decode(), "secret-pem"),
    secret("tooshort", "secret-short"),
    secret("twenty-four-bytes-long--", "secret-weak"),
    secret(SECRET + "\n\n", "value-wrapped"),
    secret(f'"{SECRET}"', "value-wrapped"),
    private_key(b"the Messenger API Secret", "key-not-pem"),
    private_key(b"-----BEGIN RUBBISH-----\n-----END RUBBISH-----\n", "key-not-pem"),
    private_key(certificate_pem(CERTIFICATE), "key-public"),
    private_key(PUBLIC_PEM, "key-public"),
    private_key(KEY.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()), "key-container"),
    private_key(PEM[:600], "key-damaged"),
    private_key(PEM[:600] + PEM[700:], "key-damaged"),
    private_key(EC_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), "key-not-rsa"),
    private_key(EC_KEY.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()), "key-not-rsa"),
    private_key(
        serialize_key_and_certificates(None, ED_KEY, foreign_certificate_of(ED_KEY), None, NoEncryption()),
        "key-not-rsa",
    ),
    private_key(pem_of(WEAK_KEY), "key-weak"),
    private_key(encrypted(KEY, b"password"), "key-password-missing"),
    private_key(encrypted(KEY, b"password", PrivateFormat.TraditionalOpenSSL), "key-password-missing"),
    private_key(encrypted(KEY, b"password"), "key-password-wrong", password=b"another"),
    private_key(PEM, "key-password-unneeded", password=b"password"),
    one_certificate(b"rubbish", "certificate-unreadable"),
    one_certificate(PEM, "certificate-unreadable"),
    one_certificate(foreign_certificate(EC_KEY), "key-not-rsa", key=None),
    one_certificate(foreign_certificate(WEAK_KEY), "key-weak", key=None),
    one_certificate(certificate_pem(certificate(begins=-timedelta(days=731))), "certificate-validity"),
    one_certificate(certificate_pem(certificate(days=11, begins=-timedelta(days=2))), "certificate-validity"),
    one_certificate(certificate_pem(certificate(days=29)), "certificate-renew"),
    one_certificate(certificate_pem(certificate(begins=timedelta(days=2))), "certificate-not-yet-valid"),
    one_certificate(certificate_pem(certificate(OTHER_KEY)), "key-differs"),
    raw_jwk(PEM, "jwk-private"),
    raw_jwk(certificate_pem(CERTIFICATE), "jwk-document"),
    raw_jwk(CERTIFICATE.public_bytes(Encoding.DER), "jwk-document"),
    raw_jwk(KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo), "jwk-document"),
    raw_jwk(KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()), "jwk-private"),
    raw_jwk(serialize_key_and_certificates(None, KEY, CERTIFICATE, None, NoEncryption()), "jwk-private"),
    raw_jwk(b"", "jwk-document"),
    raw_jwk(json.dumps(JWK) + "\n" + json.dumps(JWK), "jwk-document"),
    raw_jwk("{'kty': 'RSA'}", "jwk-document"),
    raw_jwk("[" * 5000, "jwk-document"),
    raw_jwk(json.dumps([JWK]), "jwk-document"),
    raw_jwk(json.dumps({"keys": [JWK]}), "jwk-document"),
    jwk("jwk-private", d=JWK["n"]),
    jwk("jwk-private", p="AQAB"),
    jwk("jwk-member", leave_out="kty"),
    jwk("jwk-member", leave_out="kid"),
    jwk("jwk-member", kid=7),
    jwk("jwk-member", kid="key-1\n"),
    jwk("jwk-member", leave_out="alg"),
    jwk("jwk-member", alg="PS256"),
    jwk("jwk-use", use="enc"),
    jwk("jwk-member", leave_out="n"),
    jwk("jwk-member", n=JWK["n"] + "=="),
    jwk("jwk-member", e="A" * 600),
    jwk("jwk-member", n="A"),
    weak_jwk("key-weak"),
    jwk("jwk-x5c-missing", leave_out="x5c"),
    jwk("jwk-x5c-missing", x5c=[]),
    jwk("jwk-x5c-format", x5c=X5C),
    jwk("jwk-x5c-format", x5c=[certificate_pem(CERTIFICATE).decode()]),
    jwk("jwk-x5c-format", x5c=[f"{X5C[:64]}\n{X5C[64:]}"]),
    jwk("jwk-x5c-format", x5c=["-_" + X5C.replace("+", "-").replace("/", "_")]),
    jwk("certificate-unreadable", x5c=["AAAA" + X5C]),
    jwk("jwk-x5c-format", x5c=["§" + X5C]),
    jwk("jwk-x5c-format", x5c=["A"]),
    jwk("jwk-x5c-several", x5c=[X5C, X5C]),
    jwk("jwk-certificate-differs", x5c=chain(certificate_pem(certificate(OTHER_KEY)))),
    *(jwk("jwk-member", n=n) for n in WRONG_NUMBERS.values()),
    jwk("jwk-member", e="010001"),
    jwk("jwk-member", e=65537),
    jwk("jwk-zero-byte", n=base64url(b"\0" + MODULUS)),
    jwk("jwk-x5c-format", x5c=[b64encode(certificate_pem(CERTIFICATE)).decode()]),
    jwk("jwk-x5c-order", "jwk-x5c-several", x5c=[*chain(certificate_pem(certificate(OTHER_KEY))), X5C]),
    raw_jwk(b"\xfe\xed\xfe\xed\0\0\0\2", "jwk-private"),
    raw_jwk(json.dumps({"private_key": PEM.decode()}), "jwk-private"),
    raw_jwk(json.dumps(JWK).encode("utf-16"), "jwk-document"),
    jwk("key-differs", key=OTHER_KEY),
    jwk("certificate-validity", x5c=chain(certificate_pem(certificate(begins=-timedelta(days=731))))),
    jwk("certificate-validity", x5c=chain(certificate_pem(certificate(days=11, begins=-timedelta(days=2))))),
    jwks("[]", "jwks-empty"),
    jwks("<html>", "jwks-empty"),
    jwks(JWK, "jwks-empty"),
    jwks({"keys": ["key-1"]}, "jwks-empty"),
    jwks({"keys": []}, "jwks-empty"),
    jwks({"keys": [JWK, JWK]}, "jwks-kid-twice"),
    jwks({"keys": [JWK]}, "key-differs", key=OTHER_KEY),
    jwks({"keys": [{**JWK, "n": 7}]}, "jwk-member", "key-differs"),
    # Two at once.
    secret(f" '{SECRET[:18]}' ", "value-wrapped", "secret-weak"),
    jwk("jwk-x5c-missing", "jwk-member", leave_out="x5c", alg="none"),
    jwk("jwk-private", "jwk-member", leave_out="kid", d="A" * 342),
    jwk("jwk-certificate-differs", "jwk-use", x5c=chain(certificate_pem(certificate(OTHER_KEY))), use="enc"),
    jwk("key-differs", "certificate-renew", key=OTHER_KEY, x5c=chain(certificate_pem(certificate(days=29)))),
    one_certificate(certificate_pem(certificate(OTHER_KEY, days=29)), "key-differs", "certificate-renew"),
    one_certificate(foreign_certificate(WEAK_KEY), "key-weak"),
    jwks({"keys": [JWK, {**JWK, "use": "enc"}]}, "jwks-kid-twice", "jwk-use"),
]
