"""Makes findings: a stable code, what is wrong, the fix, and the evidence for it.

The texts are data, in the TOML files of ``catalogue/``; only this module reads them.
"""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from enum import StrEnum
from importlib.resources import files
from typing import Any

from fin_messenger_auth.errors import FinMessengerAuthWarning, Problem

_PARTS = ("tokens", "keys", "page", "setup")


class Level(StrEnum):
    """How serious a finding is: it fails or is unsafe; it is unwise or likely a mistake; nobody can tell from here."""

    ERROR = "error"
    WARNING = "warning"
    UNCHECKED = "unchecked"


class Evidence(StrEnum):
    """What a finding rests on: documents or standards, code that a vendor published, a report, or our inference."""

    DOCUMENTED = "documented"
    SOURCE = "vendor source"
    REPORT = "field report"
    INFERENCE = "our inference"


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem that a check has found, or an entry of the catalogue of all of them.

    A healthy configuration has no error and no warning. No finding holds a key, a secret, a token or personal data.

    Attributes:
        code: What it is, for machines; it keeps its meaning from version to version.
        check: Which check found it.
        level: How serious it is.
        message: What is wrong, in one line. In the catalogue, ``{placeholders}`` stand for what differs from case to
            case, and it is blank where an error of the library says it.
        fix: What to do about it, likewise; commands and assignments stand in backticks, quoted for a shell.
        evidence: What it rests on.
        url: Where that can be read, or ``None``.
    """

    code: str
    check: str
    level: Level
    message: str
    fix: str
    evidence: Evidence
    url: str | None


def has_errors(findings: Iterable[Finding]) -> bool:
    """Tell whether one of ``findings`` is an error."""
    return any(each.level is Level.ERROR for each in findings)


DEFAULT_KID = " --kid KID"
_REMAKE = (  # not at once into {jwk}, which the command may read
    "`fin-messenger-auth certificate {key} > {certificate}`, then `fin-messenger-auth jwk {key} --certificate "
    "{certificate}{kid} > new.json && mv new.json {jwk}`{jwks}, and upload {jwk}"
)
_REPAIR = "Repair it: `fin-messenger-auth jwk --repair {jwk} > new.json && mv new.json {jwk}`, and upload {jwk}"
# What fixes call the things of a case, where a check is not told their names.
_NAMES = {
    "key": "--private-key FILE",
    "certificate": "certificate.pem",
    "kid": DEFAULT_KID,
    "password": " --password-file FILE",
    "jwk": "jwk.json",
    "jwks": "",
    "set": "jwks.json",
    "prefix": "",
    "secret": "",
    "pin": "SALESFORCE_PKCS11_PIN",
    "unset": "",
    "variable": "the variable or argument that the message names",
    "audience": "SALESFORCE_AUDIENCE=https://<subdomain>.my.salesforce-scrt.com, with the subdomain of your own org",
    "region": "us",
    "remote": "SALESFORCE_SIGNER's variable for the key",
    "enable": "",
    "complete": "Set the variables that the message names.",
}
_named: ContextVar[dict[str, str]] = ContextVar("names_in_fixes", default=_NAMES)


@contextmanager
def naming(**names: str) -> Iterator[None]:
    """Fill the placeholders of fixes with the names of this case, such as the path of the key: quoted for a shell."""
    token = _named.set({**_named.get(), **names})
    try:
        yield
    finally:
        _named.reset(token)


def name_of(thing: str) -> str:
    """Return what fixes call a thing at the moment."""
    return _named.get()[thing]


def assignment(variable: str, value: str) -> str:
    """Return how to set a variable, with the prefix of this case, for a fix."""
    return f"`{name_of('prefix')}{variable}={shlex.quote(value)}`"


def general_names() -> dict[str, str]:
    """Return what the placeholders stand for that mean the same thing in each fix."""
    return {"remake": remake(), "mend": mend(follows=True), **_named.get()}


def remake() -> str:
    """Return how to make the public files of the key of this case again."""
    return _named.get().get("remake") or _REMAKE.format(**_named.get())


def mend(*, follows: bool) -> str:
    """Return how to mend the JWK of this case: from its own file, if what is right follows from that."""
    made_again = f"Make the JWK with a certificate of the same key: {remake()}"
    return _REPAIR.format(**_named.get()) if follows else made_again


def finding(code: str, variant: str = "", /, **details: object) -> Finding:
    """Return the finding of ``code``, or a variant of it, with the values of the placeholders in message and fix."""
    entry = VARIANTS[code, variant] if variant else CATALOGUE[code]
    return _filled(entry, details)


def finding_of(problem: Problem, **details: object) -> Finding:
    """Return the finding that says the same as an error or a warning of this library, in its words.

    What is an error in one place may be only a warning in another.
    """
    level = Level.WARNING if isinstance(problem, FinMessengerAuthWarning) else Level.ERROR
    named = {} if problem.variable is None else {"variable": problem.variable}
    filled = _filled(replace(CATALOGUE[problem.code], message=""), {**named, **details})
    return replace(filled, message=one_line(problem.message), level=level)


def one_line(text: str) -> str:
    """Return a text in which every control character is written out: what comes from outside never moves a cursor."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape", "replace").decode() for each in text)


def _filled(entry: Finding, details: dict[str, Any]) -> Finding:
    known = {**general_names(), **details}
    message, fix = (one_line(each.format(**known)) for each in (entry.message, entry.fix))
    return replace(entry, check=details.get("check", entry.check), message=message, fix=fix)


def _read(part: str) -> dict[str, Any]:
    return tomllib.loads(files("fin_messenger_auth.diagnosis").joinpath(f"catalogue/{part}.toml").read_text("utf-8"))


def _entries(parts: list[dict[str, Any]]) -> Iterable[Finding]:
    urls: dict[Any, Any] = {None: None, **_read("sources")}
    for entry in [each for part in parts for each in part["finding"]]:
        url = urls[entry.pop("source", None)]
        evidence, level = Evidence(entry.pop("evidence")), Level(entry.pop("level"))
        yield Finding(**{"message": "", **entry}, level=level, evidence=evidence, url=url)


def _variants(parts: list[dict[str, Any]]) -> Iterable[tuple[tuple[str, str], Finding]]:
    for changed in [each for part in parts for each in part.get("variant", ())]:
        code, name = changed.pop("of"), changed.pop("name")
        level = Level(changed.pop("level", CATALOGUE[code].level))
        yield (code, name), replace(CATALOGUE[code], **changed, level=level)


_parts = [_read(part) for part in _PARTS]
CATALOGUE: dict[str, Finding] = {entry.code: entry for entry in _entries(_parts)}
"""Every entry, by its code."""
VARIANTS: dict[tuple[str, str], Finding] = dict(_variants(_parts))
"""The same finding in another situation, with a message and a fix of its own, by code and situation."""
