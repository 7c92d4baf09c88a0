"""Names what is wrong with a signature, and so with the signer that made it.

Tables: how the signature may be encoded, what may have been signed instead of the message, with which
secret. The first combination that explains the signature names the mistake.
"""

from __future__ import annotations

import hashlib
import hmac
from binascii import unhexlify
from collections.abc import Callable, Collection, Sequence
from functools import partial

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from fin_messenger_auth.diagnosis._token_checks import altered_secrets, decode_base64

_Digester = Callable[[bytes, str], bytes]  # a message and the name of a hash to a digest, keyed or not

_HASHES = {"sha256": hashes.SHA256(), "sha512": hashes.SHA512(), "sha384": hashes.SHA384(), "sha224": hashes.SHA224()}
_HASHES["sha1"] = hashes.SHA1()  # noqa: S303 - to name it

_OTHER_INFO = "the DigestInfo of the digest is not as in RFC 8017 §9.2"
_CUTS = tuple(2**power for power in range(17))  # where APIs and buffers cut a message short


def _whole(data: bytes, size: int) -> bytes:
    if len(data) != size:
        raise ValueError("wrong length")
    return data


# How the raw signature may be encoded: a name, and how to get its `size` bytes.
_ENCODINGS: tuple[tuple[str, Callable[[bytes, int], bytes]], ...] = (
    ("", _whole),
    ("leading zero bytes of the signature are dropped; return all of it", lambda got, size: got.rjust(size, b"\0")),
    ("the signature is in reverse byte order (little-endian)", lambda got, _size: got[::-1]),
    ("the signature is encoded as Base64; return its raw bytes", lambda got, _size: decode_base64(got)),
    ("the signature is in hexadecimal digits; return its raw bytes", lambda got, _size: unhexlify(got)),
    ("a whole token is returned; return the raw signature", lambda got, _size: decode_base64(got.split(b".")[-1])),
    ("the signature is wrapped in DER, or has a prefix; return it raw", lambda got, size: got[-size:]),
    ("bytes follow the signature, such as a newline; return it raw", lambda got, size: got[:size]),
)

# What may have been signed instead of the message: a name, and how it is made from message and hash.
_CONTENTS: tuple[tuple[str, Callable[[bytes, Callable[[bytes], bytes]], bytes]], ...] = (
    ("", lambda message, _hash: message),
    (
        "the digest is signed instead of the message, so it is hashed twice; tell the API that it is a digest",
        lambda message, hash_: hash_(message),
    ),
    ("the message is hashed three times", lambda message, hash_: hash_(hash_(message))),
    ("the hexadecimal digest is signed instead of the message", lambda message, hash_: hash_(message).hex().encode()),
    ("the message is signed in reverse byte order", lambda message, _hash: message[::-1]),
    ("the message is signed without its header", lambda message, _hash: message.rpartition(b".")[2]),
    ("the message is signed with a newline after it", lambda message, _hash: message + b"\n"),
    ("an empty message is signed", lambda _message, _hash: b""),
)


def diagnose_rsa(
    signature: bytes, message: bytes, *, alg: str, key: RSAPublicKey, others: Collection[bytes] = ()
) -> str:
    """Say in a few words why an RSA signature is not that of ``message``, nor of ``others`` of the same signer."""
    known = _digests(message, alg, [("", _hash)], others)
    mistake = _first_mistake(
        signature, (key.key_size + 7) // 8, lambda raw: _explain_rsa(raw, message, alg, key, known)
    )
    return (
        "the signature was made with another key, or is not a signature" if mistake is None else mistake or _OTHER_INFO
    )


def diagnose_hmac(signature: bytes, message: bytes, *, alg: str, secret: bytes, others: Collection[bytes] = ()) -> str:
    """Say in a few words why an HMAC is not that of ``message``, nor of ``others`` of the same signer."""
    altered = [(f"the secret is {how}; use it as it is written", bytes_) for how, bytes_ in altered_secrets(secret)]
    keys = [("", secret), *altered, ("the secret is empty", b"")]
    keyed = [(mistake, partial(hmac.digest, key)) for mistake, key in keys]
    known = _digests(message, alg, [*keyed, ("the message is hashed without the secret", _hash)], others)
    mistake = _first_mistake(signature, int(alg[2:]) // 8, known.get)
    return mistake or "the signature was made with another secret, or is not a signature"


def _first_mistake(signature: bytes, size: int, explain: Callable[[bytes], str | None]) -> str | None:
    """Name the mistake, with the encoding: empty if there is none, ``None`` if nothing explains the signature."""
    for encoding, decode in _ENCODINGS:
        try:
            mistake = explain(decode(signature, size))
        except ValueError:
            continue
        if mistake is not None:
            return _joined(encoding, mistake)
    return None if len(signature) == size else f"the signature: expected {size} bytes, got {len(signature)}"


def _digests(
    message: bytes, alg: str, digesters: Sequence[tuple[str, _Digester]], others: Collection[bytes]
) -> dict[bytes, str]:
    """Return the digests that mistakes lead to, with the mistake; the likelier mistake wins."""
    known: dict[bytes, str] = {}
    right = _hash_names(alg)[0]
    for name in _hash_names(alg):
        for how, digest in digesters:
            for what, content in _contents(message, name, cuts=name == right):
                known.setdefault(digest(content, name), _joined(how, _wrong_hash(name, alg), what))
    for other in others:
        known.setdefault(
            digesters[0][1](other, right), "it is the signature of another call's message; calls must share no state"
        )
    return known


def _hash(content: bytes, name: str) -> bytes:
    return hashlib.new(name, content).digest()


def _hash_names(alg: str) -> list[str]:
    """Return the names of the hashes that may have been used, the right one first."""
    return sorted(_HASHES, key=lambda name: name[3:] != alg[2:])


def _wrong_hash(name: str, alg: str) -> str:
    return "" if name[3:] == alg[2:] else f"the hash: expected SHA-{alg[2:]}, got SHA-{name[3:]}"


def _contents(message: bytes, name: str, *, cuts: bool) -> list[tuple[str, bytes]]:
    contents = [(mistake, content(message, partial(_hash, name=name))) for mistake, content in _CONTENTS]
    sizes = [size for size in _CUTS if cuts and size < len(message)]
    return contents + [(f"only the first {size} bytes of the message are signed", message[:size]) for size in sizes]


def _explain_rsa(raw: bytes, message: bytes, alg: str, key: RSAPublicKey, known: dict[bytes, str]) -> str | None:
    """Name the mistake: empty if there is none, ``None`` if it is not a signature of this key."""
    try:
        padded = key.recover_data_from_signature(raw, PKCS1v15(), None)
    except InvalidSignature:
        return _explain_pss(raw, message, alg, key)
    if message.startswith(padded):
        return "the message, or its start, is padded and not hashed"
    if padded in known:
        return _joined("the digest is padded without its DigestInfo (RFC 8017 §9.2)", known[padded])
    for name in _hash_names(alg):
        mistake = known.get(padded[-_HASHES[name].digest_size :])
        if mistake is not None:
            return mistake
    return "the right key signed something other than the message"


def _explain_pss(raw: bytes, message: bytes, alg: str, key: RSAPublicKey) -> str | None:
    for name in _hash_names(alg):
        hash_ = _HASHES[name]
        for mistake, content in _contents(message, name, cuts=False)[:2]:  # the message and its digest
            try:
                key.verify(raw, content, PSS(MGF1(hash_), PSS.AUTO), hash_)
            except InvalidSignature:
                continue
            return _joined("the padding: expected PKCS#1 v1.5, got PSS", _wrong_hash(name, alg), mistake)
    return None


def _joined(*mistakes: str) -> str:
    return "; ".join(filter(None, mistakes))
