"""Checks a secret, a key, a certificate, a JWK, a key set, the directory that ``keygen`` wrote, and the upload."""

from __future__ import annotations

import json
import os
import shlex
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from itertools import combinations
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509 import Certificate

from fin_messenger_auth._environment import Reading
from fin_messenger_auth._json_values import parse_json
from fin_messenger_auth._keys import (
    OPENSSH,
    FileKeySource,
    MaskedBytes,
    StringKeySource,
    read_private_key,
    read_public_key,
    shown_path,
)
from fin_messenger_auth._material import HOLDS_CERTIFICATE, HOLDS_PRIVATE, things_in
from fin_messenger_auth._signers import MIN_SECRET_BYTES, RSASigner, configured_secret, public_key_of
from fin_messenger_auth._tokens import is_fin_issuer
from fin_messenger_auth._uploaded import certificate_in, read_certificate, rsa_key_of
from fin_messenger_auth._verification import VerifyingKey, read_jwks
from fin_messenger_auth.errors import InvalidKeyError, Problem, attempt, masked, problems_of
from fin_messenger_auth.onboarding._certificate import certificate_problems
from fin_messenger_auth.onboarding._jwk import jwk_problems, jwks_problems, parse_jwk, parse_jwks, repair_jwk
from fin_messenger_auth.onboarding._key_directory import CERTIFICATE, JWK, JWKS, PRIVATE_KEY

from ._findings import DEFAULT_KID, Finding, finding, finding_of, mend, name_of, naming
from ._token_checks import quoted


@masked
def read_verifying_keys(document: bytes) -> list[VerifyingKey]:
    """Read the keys that a token can be verified with, in any format.

    Args:
        document: A JWK or a JWKS; a certificate, a public key, also in the form of OpenSSH, or an unencrypted private
            key (its public half is used).

    Raises:
        InvalidKeyError: It is none of these, or a key is not RSA of at least 2048 bits.
    """
    held = {thing.kind.holds for thing in things_in(document)}
    if HOLDS_PRIVATE in held:
        return [VerifyingKey(read_private_key(document).public_key())]
    if HOLDS_CERTIFICATE in held:
        return [VerifyingKey(rsa_key_of(read_certificate(document)))]
    if held or document.lstrip().startswith(OPENSSH):
        return [VerifyingKey(read_public_key(document))]
    return read_jwks(document)


def keys_in(document: bytes) -> list[VerifyingKey]:
    """Return the keys in a file; none if it cannot be read, which the checks of the file report."""
    try:
        return read_verifying_keys(document)
    except InvalidKeyError:
        return []


def configured_keys(reading: Reading) -> list[VerifyingKey]:
    """Return the public half of the key that the environment signs with; none if Fin signs or it is not known."""
    signer = reading.salesforce_signer
    public_key = None if signer is None else public_key_of(signer)
    if signer is None or public_key is None:
        return []
    return [VerifyingKey(public_key, kid=reading.kid, alg=signer.alg)]


@masked
def check_secret(secret: bytes) -> list[Finding]:
    """Return what is wrong with a Messenger API Secret.

    Args:
        secret: The secret, as its variable or file contains it. One trailing newline is not part of it.
    """
    return _findings(lambda: problems_of(lambda: configured_secret(MaskedBytes(secret))))


@masked
def check_private_key(pem: bytes, *, password: bytes | None = None) -> list[Finding]:
    """Return what is wrong with a private key.

    Args:
        pem: The PEM document.
        password: What it is encrypted with.
    """
    return _findings(lambda: problems_of(lambda: read_private_key(pem, password)))


def check_certificate(
    document: bytes, *, public_key: RSAPublicKey | None = None, now: float | None = None
) -> list[Finding]:
    """Return what is wrong with a certificate.

    Args:
        document: The certificate, in PEM or DER.
        public_key: The public half of the private key, to be compared.
        now: The time, in Unix seconds; the machine's if left out.
    """
    return _findings(lambda: certificate_problems(read_certificate(document), public_key=public_key, now=_moment(now)))


def check_jwk(
    document: str | bytes, *, public_key: RSAPublicKey | None = None, now: float | None = None
) -> list[Finding]:
    """Return what is wrong with the file that is to be uploaded to Salesforce.

    The dummies of Salesforce's own tool (``"d": "d"``) are not a problem.

    Args:
        document: The whole file.
        public_key: The public half of the private key, to be compared.
        now: The time, in Unix seconds; the machine's if left out.
    """
    data = document if isinstance(document, bytes) else document.encode(errors="replace")
    with naming(mend=_mending(data, now)):
        return _findings(lambda: jwk_problems(parse_jwk(data), public_key=public_key, now=_moment(now)))


def _mending(document: bytes, now: float | None = None) -> str:
    """Return how to mend this JWK: by the repair, where that makes one that is right."""
    return mend(follows=attempt(repair_jwk, document, now=_moment(now))[0] is not None)


def names_of_jwk(path: Path) -> dict[str, str]:
    """Return what fixes call the JWK of the environment, its kid as far as it can be read, and how to mend it."""
    document = _read(path)
    parsed = parse_json(document)
    kid = str(parsed.get("kid", "")).strip() if isinstance(parsed, dict) else ""
    names = {"jwk": shlex.quote(str(path)), **({"kid": f" --kid={shlex.quote(kid)}"} if kid else {})}
    with naming(**names):
        return {**names, "mend": _mending(document)}


def check_jwks(
    document: str | bytes, *, public_key: RSAPublicKey | None = None, now: float | None = None
) -> list[Finding]:
    """Return what is wrong with a key set that is to be served.

    A missing certificate or its dates are warnings here: Salesforce's rules for them are about uploads.

    Args:
        document: The whole file or answer.
        public_key: The public half of the private key; one key of the set must be it.
        now: The time, in Unix seconds; the machine's if left out.
    """
    return _findings(lambda: jwks_problems(parse_jwks(document), public_key=public_key, now=_moment(now)))


def check_key_file(document: bytes, *, now: float | None = None) -> list[Finding]:
    """Return what is wrong with a JWK, a JWKS or a certificate; a key without a certificate has no findings.

    Args:
        document: The whole file.
        now: The time, in Unix seconds; the machine's if left out.
    """
    if document.lstrip()[:1] in (b"{", b"["):
        value = parse_json(document)
        check = check_jwks if isinstance(value, dict) and "keys" in value else check_jwk
        return check(document, now=now)
    findings = check_certificate(document, now=now)
    return [each for each in findings if each.code != "certificate-unreadable"]  # which a key is


def mode_for_others(path: Path) -> str | None:
    """Return the mode of a file if others on this machine can open it, else ``None``."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):  # it does not exist, which is another finding
        return None
    is_open = os.name == "posix" and stat.S_ISREG(mode) and mode & 0o077
    return f"{stat.S_IMODE(mode):04o}" if is_open else None


def _findings(problems: Callable[[], Iterable[Problem]]) -> list[Finding]:
    try:
        return [finding_of(each) for each in problems()]
    except InvalidKeyError as error:  # it cannot even be read
        return [finding_of(error)]


def _moment(now: float | None) -> datetime | None:
    return None if now is None else datetime.fromtimestamp(now, UTC)


@masked
def check_key_directory(
    path: str | os.PathLike[str], *, password: bytes | None = None, now: float | None = None
) -> list[Finding]:
    """Check the files of a key directory, each by itself and together.

    Only ``jwk.json`` must exist: a directory may hold public files only, and not every setup needs a JWKS.

    Args:
        path: The directory.
        password: The password of the private key, if it is encrypted.
        now: The time, in Unix seconds; the machine's if left out.
    """
    directory = Path(path)
    if not os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises for a path that is too long
        # A shorter name is no secret (MIN_SECRET_BYTES).
        shown = str(directory) if len(str(directory)) < MIN_SECRET_BYTES else shown_path(str(directory))
        kind = "file" if os.path.isfile(path) else ""  # noqa: PTH113 - likewise
        return [finding("directory-incomplete", kind, path=shown)]
    if not any((directory / name).exists() for name in (CERTIFICATE, JWK, JWKS, PRIVATE_KEY)):
        return [finding("directory-incomplete", path=directory / JWK)]
    with naming(**names_in(directory)):
        return _check_directory(directory, password, now)


def _check_directory(directory: Path, password: bytes | None, now: float | None) -> list[Finding]:
    findings, public_key = _check_private_key(directory / PRIVATE_KEY, password)
    files = {name: _read(directory / name) for name in (CERTIFICATE, JWK, JWKS)}
    certificate, jwk, jwks = files.values()
    if jwk:
        keys = [each.public_key for each in keys_in(jwk)]
        is_foreign = public_key is not None and keys and public_key not in keys  # and so is its kid
        with naming(**({"kid": ""} if is_foreign else {})):
            findings += _of_file(JWK, check_jwk(jwk, public_key=public_key, now=now))
    else:
        findings.append(finding("directory-incomplete", "jwk", path=directory / JWK))
    if certificate:
        findings += _of_file(CERTIFICATE, check_certificate(certificate, public_key=public_key, now=now))
    if jwks:
        findings += _of_file(JWKS, check_jwks(jwks, now=now))
    if jwk and jwks and any(key not in keys_in(jwks) for key in keys_in(jwk)):
        findings.append(finding("directory-differs", first=JWK, second=JWKS, what="keys"))
    held = [(name, each) for name, document in files.items() for each in _certificates(document)]
    for (first, one), (second, other) in combinations(held, 2):
        if first != second and one != other and rsa_key_of(one) == rsa_key_of(other):
            what = "certificates for the same key (an unfinished renewal)"
            return [*findings, finding("directory-differs", first=first, second=second, what=what)]
    return findings


def check_upload(
    document: bytes, *, key_directory: str | os.PathLike[str] | None = None, now: float | None = None
) -> list[Finding]:
    """Check the JWK, or the key set of the JWKs, that were uploaded to Salesforce.

    Args:
        document: The JWK; or several, as a JWKS.
        key_directory: The directory that ``keygen`` wrote, to be searched for a newer certificate.
        now: The time, in Unix seconds; the machine's if left out.
    """
    several, _ = attempt(parse_jwks, document)
    documents = dict.fromkeys(map(json.dumps, several or [])) or [document]
    findings = [each for jwk in documents for each in check_jwk(jwk, now=now)]
    findings += [finding("jwk-document", "set")] if several is not None else []
    if key_directory is not None:
        uploaded = _certificates(document)
        for name in (JWK, CERTIFICATE):
            if any(map(partial(_is_newer, uploaded), _certificates(_read(Path(key_directory) / name)))):
                findings.append(finding("directory-differs", "upload", first=name))
                break
    return list(dict.fromkeys(findings))


def compare_upload(path: str | os.PathLike[str], uploaded: Sequence[VerifyingKey]) -> list[Finding]:
    """Compare the directory's JWK with the upload, where no environment says which key is in use."""
    own = keys_in(_read(Path(path) / JWK))[:1]
    if not uploaded or not own or own[0] in uploaded:
        return []
    same = [each for each in uploaded if each.public_key == own[0].public_key]
    what = f"key IDs: {quoted(own[0].kid)} and {quoted(same[0].kid)}" if same else "keys"
    return [finding("directory-differs", "key", what=what, path=Path(path) / JWK)]


def certificate_ends(path: Path) -> date | None:
    """Return the last day of the first certificate in a file, or in the JWK of a key directory, to end."""
    document = _read(path / JWK if path.is_dir() else path)
    return min((each.not_valid_after_utc.date() for each in _certificates(document)), default=None)


def issuer_in(document: bytes) -> str:
    """Return a member of a JWK that is Fin's issuer: the key is Fin's own; blank if none is."""
    value = parse_json(document)
    members = [each for each in value.values() if isinstance(each, str)] if isinstance(value, dict) else []
    return next(filter(is_fin_issuer, members), "")


def names_in(directory: Path) -> dict[str, str]:
    """Return what the things of a key directory are called in a fix; the kid of its JWK if no other is known."""
    files = {name: shlex.quote(str(directory / name)) for name in (CERTIFICATE, JWK, JWKS, PRIVATE_KEY)}
    names = {"certificate": files[CERTIFICATE], "jwk": files[JWK], "set": files[JWKS]}
    if (directory / PRIVATE_KEY).is_file():
        encrypted = b"ENCRYPTED" in _read(directory / PRIVATE_KEY)
        names["key"] = f"--private-key {files[PRIVATE_KEY]}{name_of('password') if encrypted else ''}"
    if (directory / JWKS).is_file():
        names["jwks"] = f", then `fin-messenger-auth jwks {files[JWK]} > {files[JWKS]}`"
    if name_of("kid") == DEFAULT_KID:
        kids = [each.kid for each in keys_in(_read(directory / JWK)) if each.kid]
        names["kid"] = f" --kid={shlex.quote(kids[0])}" if kids else ""
    return names


def keys_in_directory(path: str | os.PathLike[str]) -> list[VerifyingKey]:
    """Return the keys in the directory's JWK and JWKS; a file that cannot be read has none."""
    keys = [key for name in (JWK, JWKS) for key in keys_in(_read(Path(path) / name))]
    return [key for place, key in enumerate(keys) if key not in keys[:place]]


def _read(path: Path) -> bytes:
    """Return the content of a file; nothing if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _check_private_key(path: Path, password: bytes | None) -> tuple[list[Finding], RSAPublicKey | None]:
    if not path.is_file():
        return [], None
    mode = mode_for_others(path)
    findings = [] if mode is None else [finding("file-permissions", file=shlex.quote(str(path)), mode=mode)]
    given = None if password is None else StringKeySource(password)
    signer, problems = attempt(RSASigner, FileKeySource(path), password=given)
    return [*findings, *map(finding_of, problems)], None if signer is None else signer.public_key


def _of_file(name: str, findings: list[Finding]) -> list[Finding]:
    """Add the name of the file to what is found of its certificate: three files hold one."""
    return [
        replace(each, message=f"{name}: {each.message}") if each.check == "certificate" else each for each in findings
    ]


def _is_newer(uploaded: list[Certificate], own: Certificate) -> bool:
    """Tell whether a certificate is for a key that was uploaded, and ends later."""
    return any(
        rsa_key_of(own) == rsa_key_of(each) and own.not_valid_after_utc > each.not_valid_after_utc for each in uploaded
    )


def _certificates(document: bytes) -> list[Certificate]:
    try:
        if document.lstrip()[:1] != b"{":
            return [read_certificate(document)]
        value = parse_json(document)
        return [certificate_in(each) for each in value.get("keys", [value])]
    except (AttributeError, TypeError, InvalidKeyError):
        return []  # the checks of the file say why
