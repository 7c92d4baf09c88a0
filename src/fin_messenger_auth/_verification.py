"""Reads JWKs and verifies tokens with joserfc: another hand's code judges what ours has signed.

joserfc is imported inside the functions, so that a page never loads it.
"""

from __future__ import annotations

import re
import warnings
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ._json_values import parse_json
from ._keys import MIN_RSA_BITS, checked_rsa_key
from ._material import HOLDS_PRIVATE, in_utf_8, kind_of_text, things_in
from .errors import InvalidKeyError, masked

if TYPE_CHECKING:
    from joserfc.jwk import OctKey, RSAKey

_PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")  # RFC 7518 §6.3.2 and §6.4
_DUMMIES = ("y", "crv", "d", "k")  # Salesforce's own tool fills them with their own name, as "d": "d"


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public key of a keyset.

    Args:
        public_key: The key; of a signer, its ``public_key``.
        kid: The key ID of its JWK. ``None`` if it is not known, so that it matches any.
        alg: The ``alg`` of its JWK. ``None`` if it is not known.
    """

    public_key: RSAPublicKey = field(repr=False)
    kid: str | None = None
    alg: str | None = None

    def verifies(self, token: str) -> bool:
        """Tell whether this key's private half made the signature of a token (RFC 7515 §5.2)."""
        return verifies(token, joserfc_key(self.public_key), "RS256", "RS512")


def verifies(token: str, key: OctKey | RSAKey, *algorithms: str) -> bool:
    """Tell whether a key verifies the signature of a token, made with one of these algorithms (RFC 7515 §5.2)."""
    from joserfc import errors, jws  # noqa: PLC0415 - 33 ms

    registry = jws.JWSRegistry(algorithms=list(algorithms))  # its limits are for the tokens of strangers
    registry.max_header_length = registry.max_payload_length = registry.max_signature_length = len(token)
    try:
        jws.deserialize_compact(token, key, algorithms=list(algorithms), registry=registry)
    except (errors.JoseError, ValueError):
        return False
    return True


def verifies_hs256(token: str, secret: bytes) -> bool:
    """Tell whether a Messenger API Secret verifies the signature of a token."""
    from joserfc.jwk import OctKey  # noqa: PLC0415 - 33 ms

    return verifies(token, OctKey.import_key(secret), "HS256")


def joserfc_key(public_key: RSAPublicKey) -> RSAKey:
    """Return joserfc's form of a public key, for its members and its thumbprint (RFC 7638)."""
    from joserfc.jwk import RSAKey  # noqa: PLC0415 - 33 ms

    return RSAKey.import_key(public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def without_dummies(jwk: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JWK without the dummies of Salesforce's tool, and refuse one with a private key."""
    kept = {name: value for name, value in jwk.items() if not (name in _DUMMIES and value == name)}
    private = [name for name in _PRIVATE if name in kept]
    if private:
        raise InvalidKeyError(
            f"The JWK contains a private key (its member {private[0]}). Do not upload it; if it has left this machine, "
            "make a new key. Make the public JWK with `jwk`.",
            "jwk-private",
        )
    return kept


_AROUND_DIGITS = re.compile(r"(?i)^\s*(modulus=|0x)|[:\s]|\(0x10001\)\s*$")  # as openssl prints them
_LONG_HEXADECIMAL, _LONG_DECIMAL = MIN_RSA_BITS // 4, 616  # digits of a modulus of 2048 bits
_EXPONENTS = ("65537", "010001", "10001")  # as people write AQAB
ZERO_BYTE = "begins with a zero byte"
REPAIR = "Repair it: `fin-messenger-auth jwk --repair FILE`."
REMAKE = "Make the JWK again with `jwk`."


def mistake_in_number(value: object) -> tuple[str, str] | None:
    """Return how ``n`` or ``e`` of a JWK is written wrongly, and the right text, if it follows (RFC 7518 §6.3.1)."""
    if not isinstance(value, str):
        return "is a number" if isinstance(value, int) else "is missing or no string", _base64url_of(value)
    digits = _AROUND_DIGITS.sub("", value)
    if digits in _EXPONENTS:
        how, number = "is hexadecimal or decimal", 65_537
    elif len(digits) >= _LONG_DECIMAL and re.fullmatch("[0-9]+", digits):
        how, number = "is decimal", int(digits)
    elif len(digits) >= _LONG_HEXADECIMAL and re.fullmatch("[0-9A-Fa-f]+", digits):
        how, number = "is hexadecimal", int(digits, 16)
    else:
        how, number = _mistake_in_base64(value)
    return (how, _base64url_of(number)) if how else None


def _mistake_in_base64(value: str) -> tuple[str, int]:
    plain = re.sub(r"\s|=+$", "", value).translate(str.maketrans("+/", "-_"))
    try:
        decoded = urlsafe_b64decode(plain + "=" * (-len(plain) % 4))
    except ValueError:
        return "", 0  # joserfc refuses it
    how = ZERO_BYTE if decoded[:1] == b"\0" else ""
    if plain != value:
        how = "is standard Base64 (it contains + or /)" if re.search("[+/]", value) else "is padded or has spaces in it"
    return how, int.from_bytes(decoded, "big")


def _base64url_of(number: object) -> str:
    if not isinstance(number, int) or number <= 0:
        return ""
    return urlsafe_b64encode(number.to_bytes((number.bit_length() + 7) // 8, "big")).rstrip(b"=").decode()


def rsa_key_in(jwk: Mapping[str, Any]) -> RSAPublicKey:
    """Return the public key in a JWK (``n`` and ``e``, RFC 7518 §6.3.1), checked."""
    from joserfc import errors  # noqa: PLC0415 - 33 ms
    from joserfc.jwk import RSAKey  # noqa: PLC0415

    if jwk.get("kty") != "RSA":
        raise wrong_member("kty", "RSA")
    for name in ("n", "e"):
        how, right = mistake_in_number(jwk.get(name)) or (ZERO_BYTE, "")
        if how != ZERO_BYTE:
            fix = REPAIR if right else REMAKE
            raise InvalidKeyError(f"{name} of the JWK {how}: expected Base64URL without padding. {fix}", "jwk-member")
    members = {name: jwk[name] for name in ("kty", "n", "e")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a short key, which is refused below
        try:
            key = RSAKey.import_key(members)
        except (errors.JoseError, ValueError, TypeError) as error:
            raise wrong_member("n", "Base64URL without padding, an RSA key together with e") from error
    return checked_rsa_key(key.public_key, "The key of the JWK")


def wrong_member(name: str, expected: str) -> InvalidKeyError:
    """Return the error about a member of a JWK that is missing or wrong."""
    message = f"{name} of the JWK is missing or invalid: expected {expected}. {REMAKE}"
    return InvalidKeyError(message, "jwk-member")


@masked
def parse_upload(document: bytes) -> Any:  # noqa: ANN401 - any JSON
    """Parse the file of a JWK or a JWKS; ``InvalidKeyError`` says what it is instead."""
    value, things = parse_json(document), things_in(document)
    private = next((thing.kind for thing in things if thing.kind.holds == HOLDS_PRIVATE), None)
    if private is not None:
        raise InvalidKeyError(f"This is {private.name}, not a JWK. Do not upload it.", "jwk-private")
    if value is not None:
        return value
    if things:
        raise InvalidKeyError(f"This is {things[0].kind.name}, not a JWK; make a JWK of it with `jwk`.", "jwk-document")
    if in_utf_8(document) != document:
        raise InvalidKeyError(
            "The file begins with a byte order mark, as PowerShell writes it; save it as UTF-8 without one. In "
            "PowerShell 5 that is `… | Out-File -Encoding ascii jwk.json` in place of `… > jwk.json`.",
            "jwk-document",
        )
    kind = kind_of_text(document)
    wrong = next((wrong for pattern, wrong in _NO_JSON if re.search(pattern, document)), "is not valid JSON")
    if not document.strip() or (kind.code.startswith("value-") and document.lstrip()[:1] not in (b"{", b"[")):
        wrong = f"is {kind.name}"
    raise InvalidKeyError(f"The JWK {wrong}. {REMAKE}", "jwk-document")


_NO_JSON = (
    (rb"}\s*{", "is several JSON objects in one file"),
    (rb'"n"\s*:\s*\d', "has a number as n; put it in quotes, and `fin-messenger-auth jwk --repair FILE` converts it"),
)


def read_jwks(document: bytes) -> list[VerifyingKey]:
    """Read the keys in a JWK or a JWKS, with their ``kid`` and ``alg``.

    Raises:
        InvalidKeyError: It is neither, or one of its keys is private or not RSA of at least 2048 bits.
    """
    return [_verifying_key(each) for each in keys_of(parse_upload(document))]


def keys_of(value: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - any JSON
    """Return the keys of a JWK, a JWKS or a list that was parsed."""
    found = value.get("keys", [value]) if isinstance(value, dict) else value
    if not isinstance(found, list) or not found or not all(isinstance(each, dict) for each in found):
        raise InvalidKeyError("Expected a JWK, or a JWKS with at least one key.", "jwk-document")
    return found


def _verifying_key(jwk: dict[str, Any]) -> VerifyingKey:
    kid, alg = (each if isinstance(each, str) else None for each in (jwk.get("kid"), jwk.get("alg")))
    return VerifyingKey(rsa_key_in(without_dummies(jwk)), kid=kid, alg=alg)
