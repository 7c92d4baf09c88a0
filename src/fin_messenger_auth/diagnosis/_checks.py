"""Runs the checks: of the environment, the key directory, an upload, a page and an org, and names the cause first."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from fin_messenger_auth._builder import TokenPair, TokenPairBuilder, check_time
from fin_messenger_auth._environment import (
    ENABLED,
    IN_FILES,
    JWK_FILE,
    KEY,
    KEY_ID,
    ON_SIGNING_ERROR,
    PASSWORD,
    PIN,
    SALESFORCE_VARIABLES,
    SECRET,
    SIGNER,
    START,
    Reading,
    messenger_enabled,
    read_environment,
)
from fin_messenger_auth._keys import FileKeySource, read_key
from fin_messenger_auth._material import without_ends
from fin_messenger_auth._settings import API_BASES
from fin_messenger_auth._signers import signs_at_once
from fin_messenger_auth._tokens import INTERCOM_TOKEN, SALESFORCE_TOKEN, is_fin_issuer
from fin_messenger_auth._verification import VerifyingKey
from fin_messenger_auth.errors import KeyUnavailableError, Problem, SigningError, attempt, masked, problems_of
from fin_messenger_auth.onboarding._key_directory import JWK, PRIVATE_KEY

from ._expected import Expected
from ._findings import Finding, assignment, finding, finding_of, naming, remake
from ._key_checks import (
    check_key_directory,
    check_upload,
    compare_upload,
    issuer_in,
    keys_in,
    keys_in_directory,
    mode_for_others,
    names_in,
    names_of_jwk,
)
from ._online import Org, check_org, check_published_jwks
from ._page_checks import Document, check_site
from ._page_reader import Page, read_page
from ._token_checks import altered_secrets, audience_meant, check_form, compare_issuers, kids_of, quoted

APP_ID = "INTERCOM_APP_ID"
USER_ID = "fin-messenger-auth-doctor"
"""The user ID in the tokens that the doctor makes."""


@masked
def check_environment(environ: Mapping[str, str] | None = None, *, prefix: str = "") -> list[Finding]:
    """Check the environment variables that ``TokenPairBuilder.from_env`` reads.

    ``from_env`` raises the first error of this list, with the same ``.code``, and issues its warnings. In addition,
    this looks at the permissions of the files that the variables name.

    Args:
        environ: The variables; the process's own if left out. Set but blank counts as missing.
        prefix: What stands before each variable's name.
    """
    reading = read_environment(environ, prefix=prefix)
    with naming(**_names_of(reading)):
        return _check_reading(reading)


@masked
def run_checks(  # noqa: PLR0913 - one for each choice, all but the first by name
    environ: Mapping[str, str] | None = None,
    *,
    prefix: str = "",
    key_directory: str | os.PathLike[str] | None = None,
    issuer: str | None = None,
    attributes: Collection[str] = (),
    org: Org | None = None,
    jwks_url: str | None = None,
    uploaded: bytes | os.PathLike[str] | None = None,
    page: Document | None = None,
    user_id: str | None = None,
    audience: str | None = None,
    secret: bytes | os.PathLike[str] | None = None,
    now: float | None = None,
) -> list[Finding]:
    """Check a whole configuration. Without ``org`` and ``jwks_url`` nothing leaves the machine.

    Args:
        environ: The variables that ``TokenPairBuilder.from_env`` reads; the process's own if left out.
        prefix: What stands before each variable's name.
        key_directory: The directory that ``keygen`` wrote.
        issuer: The keyset's issuer, to be compared with ``SALESFORCE_ISSUER``.
        attributes: The names of the attributes that the application signs, to be named in the result.
        org: The deployment to send a token to.
        jwks_url: The *Endpoint URL* of the keyset.
        uploaded: The JWK or JWKS that was uploaded to Salesforce, or its file: what tokens are verified with there.
        page: A page of the site, or the answer of its endpoint.
        user_id: The user that the page must be for; ``""`` for an anonymous visitor.
        audience: The expected ``aud``, in place of ``SALESFORCE_AUDIENCE``.
        secret: The Messenger API Secret of the workspace, or its file, to be compared with the environment's.
        now: The time, in Unix seconds; the machine's if left out.

    Returns:
        What was found, the cause first, and at the end, as ``unchecked``, what only the platforms can tell.

    Raises:
        OSError: The file of the upload cannot be read.
        KeyUnavailableError: The file of the secret cannot be read.
    """
    moment = time.time() if now is None else now
    reading = read_environment(environ, prefix=prefix)
    directory = None if key_directory is None else Path(key_directory)
    path = Path(uploaded) if isinstance(uploaded, str | os.PathLike) else None
    upload = uploaded if isinstance(uploaded, bytes | None) else Path(uploaded).read_bytes()
    # What Salesforce verifies with: what was uploaded, or else the nearest to it.
    keys = keys_in(upload or b"") or ([] if directory is None else keys_in_directory(directory))
    secret_file = secret if isinstance(secret, os.PathLike) else None
    known = secret if isinstance(secret, bytes | None) else read_key(FileKeySource(secret)).without_line_end()
    given = Expected(secret=known or b"", keys=keys, issuer=issuer, audience=audience, user_id=user_id)
    expected = given.completed(reading)
    names = _names_of(reading, directory, issuer)
    with naming(**names, secret=expected.secret.decode(errors="replace")):
        pair, findings = _make_pair(reading, moment)
        if org is not None:
            findings += check_org(org, None if pair is None else pair.salesforce_identity_token, now=now)
        if jwks_url is not None:
            findings += check_published_jwks(jwks_url, kid=reading.kid, now=now)
        if prefix or not (reading.is_empty and (directory or upload is not None)):
            findings += _check_reading(reading, directory)
        if attempt(messenger_enabled, environ, prefix=prefix)[0] is False:
            findings.append(finding("messenger-off"))
        if is_fin_issuer(issuer or issuer_in(upload or b"")) and not reading.fin_managed:
            findings.insert(0, finding("issuer-fin", "keyset"))
        findings += _check_issuer(reading, issuer)
        findings += _check_files(reading, upload, path, directory, moment)
        if pair is not None:
            tokens = {name: getattr(pair, name) for name in (INTERCOM_TOKEN, SALESFORCE_TOKEN)}
            of_pair = _new(findings, expected.check_tokens({"user_id": USER_ID, **tokens}, moment))
            of_pair = [_of_secret(each, known, secret_file, reading) for each in of_pair]
            findings += [_of_pair(each, keys, directory, path, reading) for each in of_pair]
        if page is not None:
            right = pair is not None and not any(each.level == "error" for each in findings)
            read = read_page(page.text)
            of_page = _new(findings, check_site(page, read, expected, moment))
            findings = _cause_of(of_page, findings, read, expected, right=right)
        if not reading.fin_managed:
            findings += _not_compared(keys=bool(upload or directory), issuer=issuer is not None)
        findings += manual_checks(fin_managed=reading.fin_managed, attributes=attributes)
        return _fold(findings)


def manual_checks(*, fin_managed: bool = False, attributes: Collection[str] = ()) -> list[Finding]:
    """List what only the platforms can tell, and where to look.

    Args:
        fin_managed: Whether Fin makes the Salesforce token, so that there is no keyset of yours.
        attributes: The names of the attributes that the application signs.
    """
    signed = ", ".join(sorted(attributes)) or "email, name, phone, company and your own"
    return [
        finding("unknown-secret"),
        finding("unknown-enforcement"),
        finding("unknown-verified-updates", attributes=signed),
        *([] if fin_managed else [finding("unknown-keyset")]),
        finding("unknown-fin"),
    ]


def _names_of(reading: Reading, directory: Path | None = None, issuer: str | None = None) -> dict[str, str]:
    """Return what the things of this environment are called in a fix."""
    prefix, names = reading.prefix, {"prefix": reading.prefix, "region": reading.value("INTERCOM_REGION") or "us"}
    if reading.salesforce_signer is not None:
        names["key"] = f"--env --prefix={shlex.quote(prefix)}" if prefix else "--env"
    elif path := reading.value(f"{KEY}_FILE"):
        names["key"] = f"--private-key {shlex.quote(path)}"
    if path := reading.value(JWK_FILE):
        with naming(**names):
            is_own = directory is not None and (directory / JWK).absolute() == Path(path).absolute()
            names |= names_in(directory) if directory and is_own else {}
        with naming(**names):
            names |= names_of_jwk(Path(path))
    kid = reading.kid
    if any(each.code == "key-differs" for each in reading.problems):  # the kid of the JWK is another key's
        kid, names["kid"] = reading.value(KEY_ID) or None, ""
    if kid is not None:
        names["kid"] = f" --kid={shlex.quote(kid)}"
    if (password := reading.value(f"{PASSWORD}_FILE")) or reading.is_set(PASSWORD):
        names["password"] = f" --password-file={shlex.quote(password) if password else 'FILE'}"
    names["pin"] = f"the file of {prefix}{PIN}_FILE" if reading.value(f"{PIN}_FILE") else f"{prefix}{PIN}"
    if meant := audience_meant(reading.value("SALESFORCE_AUDIENCE")):
        names["audience"] = f"`{prefix}SALESFORCE_AUDIENCE={shlex.quote(meant)}`"
    variable, command = _REMOTE.get(reading.value(SIGNER), ("", ""))
    if variable:
        names["remote"] = f"{prefix}{variable}"
        named_key = shlex.quote(reading.value(variable) or "KEY")
        names["enable"] = f": `{command} {named_key}`" if command else " in the service"
    own = (*SALESFORCE_VARIABLES, SIGNER, PASSWORD, JWK_FILE)
    named = [f"{prefix}{name}{end}" for name in own for end in ("", "_FILE") if reading.value(f"{name}{end}")]
    if named:
        names["unset"] = f" and `unset {' '.join(named)}`"
    with naming(prefix=prefix):
        names |= _completion(reading, _known_values(directory, issuer, reading))
    return names


def _completion(reading: Reading, known: Mapping[str, str]) -> dict[str, str]:
    """Return how variables that are missing are set, if something is known of them."""
    prefixes = [name.removesuffix(APP_ID) for name in reading.environ if name.endswith(APP_ID)]
    if not reading.value(APP_ID) and len(prefixes) == 1 and prefixes[0] != reading.prefix:
        return {"complete": f"Give the prefix of the variables: `--prefix {shlex.quote(prefixes[0])}`."}
    missing = [assignment(name, known[name]) for name in known if not reading.is_set(name.removesuffix("_FILE"))]
    if reading.fin_managed or not missing:
        return {}
    return {"complete": f"Set {', '.join(missing)}, and the others that the message names."}


# By the name of the signer: the variable that names the key, and the command that enables it.
_REMOTE = {
    "aws-kms": ("SALESFORCE_AWS_KMS_KEY_ID", "aws kms enable-key --key-id"),
    "google-cloud-kms": ("SALESFORCE_GOOGLE_CLOUD_KMS_KEY_VERSION", "gcloud kms keys versions enable"),
    "azure-key-vault": ("SALESFORCE_AZURE_KEY_VAULT_KEY_ID", "az keyvault key set-attributes --enabled true --id"),
    "vault": ("SALESFORCE_VAULT_KEY", ""),
    "pkcs11": ("SALESFORCE_PKCS11_KEY", ""),
}


def _known_values(directory: Path | None, issuer: str | None, reading: Reading) -> dict[str, str]:
    """Return the values of variables that the command was told in another way, and the environment does not hold."""
    known = {} if issuer is None else {"SALESFORCE_ISSUER": issuer}
    if directory is not None and (directory / PRIVATE_KEY).is_file() and not reading.value(SIGNER):
        known[f"{KEY}_FILE"] = str((directory / PRIVATE_KEY).absolute())
        if reading.value(JWK_FILE) and (directory / JWK).is_file():
            known[JWK_FILE] = str((directory / JWK).absolute())
        else:
            known |= dict([(KEY_ID, each.kid) for each in keys_in_directory(directory) if each.kid][:1])
    held = {name: reading.value(name) for name in known}
    return {name: known[name] for name in known if known[name] not in (held[name], str(Path(held[name]).absolute()))}


def _check_reading(reading: Reading, directory: Path | None = None) -> list[Finding]:
    """Return the findings of an environment that was read."""
    modes = {path: mode_for_others(Path(path)) for path in reading.key_files.values()}
    found = [finding_of(each, variable=each.variable or _NAMELESS) for each in reading.problems]
    fixes = [next(_whole_fixes(each, reading, directory), "") for each in reading.problems]
    return [
        *(replace(each, fix=fix) if fix else each for each, fix in zip(found, fixes, strict=True)),
        *(finding("file-permissions", file=shlex.quote(path), mode=mode) for path, mode in modes.items() if mode),
    ]


_NAMELESS = "the variable or argument that the message names"
_OPTIONAL = (ON_SIGNING_ERROR, START, ENABLED)
_OF_WORKSPACE = re.compile(r"/apps/(\w+)")


def _near(name: str, code: str, value: str) -> list[str]:
    """Return what a value was meant to be, if it is nearly that."""
    plain = re.sub("[-_]", "", value.lower())
    if code == "region-unknown":
        return [each for each in API_BASES if plain.startswith(each)]
    if code == "app-id-url":
        return _OF_WORKSPACE.findall(value)
    is_signer = (name, code) == (SIGNER, "signer-invalid")
    return [each for each in _REMOTE if is_signer and each.replace("-", "").startswith(plain)]


def _whole_fixes(problem: Problem, reading: Reading, directory: Path | None) -> Iterator[str]:
    """Yield the fix for a variable whose right value is known, and no secret."""
    variable, code = problem.variable or "", problem.code
    name = variable.removeprefix(reading.prefix)
    value, known = reading.value(name), _known_values(directory, None, reading)
    plain, own = without_ends(value), known.get(f"{KEY}_FILE")
    if code == "value-wrapped" and name.endswith("_FILE") and value == plain:
        yield f"Write the value alone to the file: `printf %s VALUE > {shlex.quote(value)}`."
    elif code == "value-wrapped" and plain and (name not in IN_FILES or name == KEY_ID):
        yield f"Set {assignment(name, plain)}."
    elif near := _near(name, code, plain):
        yield f"Set {assignment(name, near[0])}, if that is meant."
    elif name in _OPTIONAL:
        yield f"Set {variable} to what the message names, or leave it out: `unset {variable}`."
    elif code == "salesforce-signer-ambiguous" and name == SIGNER:
        yield f"Keep the key: `unset {variable}`. Or keep the signer, and unset {reading.prefix}{KEY} and its _FILE."
    elif name in (KEY, f"{KEY}_FILE") and code.startswith(("key-", "value-")) and own:
        yield f"Set {assignment(f'{KEY}_FILE', own)}{f' and `unset {variable}`' if name == KEY else ''}."
    elif (name == JWK_FILE or code == "key-differs") and JWK_FILE in known:
        yield f"Set {assignment(JWK_FILE, known[JWK_FILE])}."


def _check_issuer(reading: Reading, issuer: str | None) -> Iterator[Finding]:
    configured = without_ends(reading.value("SALESFORCE_ISSUER"))  # what stands around it is found by itself
    if issuer is not None and configured not in ("", issuer):
        yield compare_issuers(configured, issuer)


def _check_files(
    reading: Reading, upload: bytes | None, path: Path | None, directory: Path | None, now: float
) -> Iterator[Finding]:
    if upload is not None:
        with naming(jwk=shlex.quote(str(path or "jwk.json")), **_other_jwk(directory, path, now)):
            yield from check_upload(upload, key_directory=directory, now=now)
    if directory is not None:
        yield from compare_upload(directory, keys_in(upload or b"")) if reading.is_empty else ()
        yield from check_key_directory(directory, password=reading.password, now=now)


def _other_jwk(directory: Path | None, path: Path | None, now: float) -> dict[str, str]:
    """Return how to make the upload again where the directory has a JWK in good health: from that."""
    if directory is None or path is None or path.resolve() == (directory / JWK).resolve():
        return {}
    if any(each.level == "error" for each in check_key_directory(directory, now=now)):
        return {}
    own, copy = (shlex.quote(str(each)) for each in (directory / JWK, path))
    if path.suffix != ".json" or path.resolve().parent == directory.resolve():  # not to be overwritten
        return {"remake": f"give `--uploaded {own}` in its place, and upload {own}"}
    return {"remake": f"`cp {own} {copy}`, and upload {own}"}


def _of_secret(each: Finding, secret: bytes | None, path: os.PathLike[str] | None, reading: Reading) -> Finding:
    """Say that the environment's secret is not the workspace's, and how it gets that."""
    if each.code not in ("intercom-signature", "intercom-secret-altered"):
        return each
    how = next((how for how, altered in altered_secrets(secret or b"") if altered == reading.secret), "")
    if not how and secret and (reading.secret or b"").startswith(secret):
        how = "followed by other text, such as a comment"
    fix = f"Set {reading.prefix}{SECRET} to the secret as it is written in Intercom: Settings > Messenger > Security."
    if path is not None:
        fix = f"Set {assignment(f'{SECRET}_FILE', str(Path(path).absolute()))} and `unset {reading.prefix}{SECRET}`."
    code = "intercom-secret-altered" if how else each.code
    return finding(code, "environment", how=how, fix=fix)


def _of_pair(
    each: Finding, keys: Sequence[VerifyingKey], directory: Path | None, path: Path | None, reading: Reading
) -> Finding:
    """Name the file that holds another key or key ID than the environment, and the way out."""
    in_directory = directory is not None and keys_in_directory(directory) == keys
    name = path or (directory / JWK if directory and in_directory else "the uploaded JWK")
    if each.code == "salesforce-kid-differs" and path is None and directory is not None:
        return replace(each, fix=f"{each.fix} If {name} is not what was uploaded, give that with --uploaded.")
    if each.code != "salesforce-signature" or not keys:
        return each
    uploaded = [str(key.kid) for key in keys]
    kids = f", which has the kid {kids_of(keys)}; this environment's is {quoted(reading.kid)}"
    kids = "" if reading.kid in uploaded else kids
    known, jwk = _known_values(directory, None, reading), reading.value(JWK_FILE)
    own = known.get(f"{KEY}_FILE", "")
    held = [key.public_key for key in keys_in(Path(own).read_bytes())] if own else []
    if kid := next((key.kid for key in keys if key.kid and key.public_key in held), None):
        setting = assignment(JWK_FILE, known.get(JWK_FILE, jwk)) if jwk else assignment(KEY_ID, kid)
        file = assignment(f"{KEY}_FILE", own)
        return finding(each.code, "directory", name=name, kids=kids, file=file, setting=setting)
    old = f"kid {kids_of(keys)}" if any(key.kid for key in keys) else "the uploaded JWK"
    if jwk:
        old = f"{old}, and {reading.prefix}{JWK_FILE} to {shlex.quote(str(path))}" if path else old
        return finding(each.code, "jwk", name=name, kids=kids, old=old, file=shlex.quote(jwk))
    new = f"{reading.kid}-2" if reading.kid in uploaded else str(reading.kid)
    with naming(kid=f" --kid={shlex.quote(new)}", certificate="certificate.pem", jwk="jwk.json", jwks=""):
        made, setting = remake(), assignment(KEY_ID, new)
    return finding(each.code, "pair", name=name, kids=kids, old=old, made=made, setting=setting)


def _not_compared(*, keys: bool, issuer: bool) -> Iterator[Finding]:
    missing = {} if keys else {"key and kid": "the JWK that was uploaded: --uploaded FILE"}
    missing |= {} if issuer else {"issuer": "the issuer of the keyset: --issuer ISSUER"}
    if missing:
        what = f"The match of {' and '.join(missing)} with the keyset"
        yield finding("unchecked", what=what, how=f"Give {' and '.join(missing.values())}.")


def _new(known: Iterable[Finding], found: Iterable[Finding]) -> list[Finding]:
    """Return what was not found before: a page repeats what is wrong with the configuration."""
    codes = {each.code for each in known}
    return [each for each in found if each.code not in codes]


def _make_pair(reading: Reading, now: float) -> tuple[TokenPair | None, list[Finding]]:
    problems = problems_of(check_time, now)
    if problems or reading.arguments is None:
        return None, list(map(finding_of, problems))
    builder = replace(TokenPairBuilder(**reading.arguments, clock=lambda: now), on_signing_error="raise")
    signer = reading.salesforce_signer
    try:
        if signer is None or signs_at_once(signer):
            return builder.build(USER_ID), []
        return asyncio.run(builder.abuild(USER_ID)), []
    except SigningError as error:
        return None, [finding_of(KeyUnavailableError(str(error), error.code))]


# ---- The cause of all that was found ----

_ABOUT_A_KEY = (
    "salesforce-signature",
    "key-differs",
    "jwk-certificate-differs",
    "directory-differs",
    "salesforce-kid-differs",
    "salesforce-algorithm-differs",
)
_ABOUT_OWN_KEYS = (*_ABOUT_A_KEY, "salesforce-issuer-differs", "unknown-keyset", "unchecked", "salesforce-kid-missing")
_ABOUT_TOKENS = ("settings-token-missing", "token-missing", "page-not-anonymous")

# The finding on the left explains those on the right.
_CONSEQUENCES = {
    "issuer-fin": (*_ABOUT_OWN_KEYS, "salesforce-audience", "token-missing"),
    "salesforce-signature": _ABOUT_A_KEY,
    "key-differs": _ABOUT_A_KEY,
    "jwk-member": ("salesforce-algorithm-differs", "directory-differs", "jwk-x5c-missing"),
    "jwks-empty": ("directory-differs",),
    "algorithm-differs": ("directory-differs",),
    "salesforce-signer-ambiguous": ("variable-missing",),
    "key-public": ("file-permissions",),
    "user-id-lost": ("intercom-user-id-differs", "pair-subject-differs", *_ABOUT_TOKENS),
    "token-user": ("pair-subject-differs",),
    "intercom-user-id-differs": ("pair-subject-differs",),
    "value-wrapped": ("salesforce-kid-differs",),
    "certificate-validity": ("directory-differs",),
    "directory-differs": ("certificate-renew",),
    "page-broken": ("page-settings-missing", "token-missing"),
    "page-anonymous": ("token-missing",),
    "app-id-url": ("settings-differ",),
    "messenger-off": ("page-settings-missing",),
    "page-mark": ("page-settings-missing",),
    "page-settings-twice": (*_ABOUT_TOKENS, "page-anonymous"),
    "setting-unknown": _ABOUT_TOKENS,
    "token-user-hash": ("settings-token-missing",),
    "token-milliseconds": ("token-lifetime-long",),
    "intercom-secret-altered": ("secret-base64", "secret-weak", "value-comment"),
    "clock-wrong": ("certificate-not-yet-valid", "certificate-validity", "token-expired"),
}
_ONCE = (
    *("certificate-validity", "certificate-renew", "certificate-not-yet-valid", "key-weak"),
    *("key-password-unneeded", "jwk-member"),
)
_OF_THE_CONFIGURATION = ("algorithm", "signature", "key id", "issuer", "audience")
_RIGHT_HERE = (
    "In this environment it is right: restart or redeploy the processes that made this page. They have another "
    "configuration or an older release."
)
_OF_THE_RESPONSE = ("page-cached", "page-csp", "page-secret")


def _fold(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings without those that follow from others, each code of a shared cause once."""
    given = list(dict.fromkeys(findings))
    explained: set[str] = set()
    for code, consequences in _CONSEQUENCES.items():
        if code not in explained and any(each.code == code for each in given):
            explained.update(each for each in consequences if each != code)
    kept: list[Finding] = []
    for each in given:
        again = each.code in _ONCE and any(other.code == each.code for other in kept)
        if each.code not in explained and not again:
            kept.append(each)
    return sorted(kept, key=lambda each: each.code == "directory-incomplete")  # it keeps nobody from being verified


def _cause_of(
    of_page: Sequence[Finding], before: list[Finding], page: Page, expected: Expected, *, right: bool
) -> list[Finding]:
    """Return all findings, those of a page in the light of those ``before``; ``right``: the environment verifies."""
    settings = page.values
    app_id = settings.get("app_id", settings.get("appId"))
    unverified = not expected.secret or any(each.code == "intercom-signature" for each in of_page)
    if expected.app_id and app_id not in (None, expected.app_id) and unverified:
        cause = finding("page-elsewhere", got=quoted(app_id), wanted=quoted(expected.app_id))
        return [cause, *before, *(each for each in of_page if each.code in _OF_THE_RESPONSE)]
    token, _ = check_form(str(settings.get(SALESFORCE_TOKEN)), SALESFORCE_TOKEN)
    kids = [quoted(None if token is None else token.header.get("kid")), kids_of(expected.keys)]
    return [*before, *(_in_page(each, kids, right=right) for each in of_page)]


def _in_page(each: Finding, kids: Sequence[str], *, right: bool) -> Finding:
    """Say that a token of the page is meant, and that the environment is not the cause if its own tokens verify."""
    if each.check in ("page", "headers", "settings", "configuration"):
        return each
    if right and each.code == "salesforce-signature" and kids[0] != kids[1]:
        return finding("salesforce-signature", "page", got=kids[0], wanted=kids[1])
    at_fault = right and each.code.startswith("salesforce-") and each.check in _OF_THE_CONFIGURATION
    return replace(each, message=f"In the page: {each.message}", fix=_RIGHT_HERE if at_fault else each.fix)
