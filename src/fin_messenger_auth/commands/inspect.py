"""``inspect``: what the platforms would say of a token, of settings or of a page, and why."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from typing import Any

from fin_messenger_auth import diagnosis
from fin_messenger_auth.diagnosis.report import as_json, report, summary, token_report
from fin_messenger_auth.diagnosis.token_checks import check_form, token_name
from fin_messenger_auth.diagnosis.verifying_key import configured_keys
from fin_messenger_auth.environment import read_environment
from fin_messenger_auth.errors import raise_first
from fin_messenger_auth.intercom import TOKEN as INTERCOM
from fin_messenger_auth.keys import FileKeySource, read_key
from fin_messenger_auth.salesforce import TOKEN as SALESFORCE

_STANDARD_INPUT = "-"
_MAX_LENGTH = 120  # characters of a claim


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "inspect",
        help="say what the platform would say of a token or a page, and why",
        description="Decode a token and say what the platform would say of it, check by check. The token itself "
        "is not printed; its claims are. Standard input may also be a page or its settings as JSON, of which only the "
        "findings are printed. A key or secret to verify with is optional.",
    )
    parser.add_argument("token", metavar="TOKEN", help="either token; - reads standard input: a token, JSON or a page")
    key = parser.add_mutually_exclusive_group()
    key.add_argument("--secret-file", metavar="FILE", help="the Messenger API Secret, for intercom_user_jwt")
    key.add_argument(
        "--key", metavar="FILE", help="a JWK, JWKS, certificate or public key, for salesforce_identity_token"
    )
    parser.add_argument(
        "--env", action="store_true", help="take the secret, the key, the issuer and the audience from the environment"
    )
    parser.add_argument("--prefix", default="", metavar="P", help="with --env, what stands before each variable's name")
    parser.add_argument("--issuer", help="the keyset's issuer")
    parser.add_argument("--audience", help="the expected aud")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print what was found; the answer is no if one finding is an error."""
    given = sys.stdin.read().strip() if arguments.token == _STANDARD_INPUT else arguments.token
    known = _known(arguments)
    of_key = [] if known.key_file is None else diagnosis.check_key_file(known.key_file)
    if given[:1] in ("<", "{", "["):
        return _inspect_page(given, known, of_key, as_json_document=arguments.json)
    parsed, _ = check_form(given, INTERCOM)
    if arguments.secret_file or arguments.key or parsed is None:
        name = INTERCOM if arguments.secret_file or not (arguments.key or arguments.issuer) else SALESFORCE
    else:
        name = token_name(parsed)
    if name == INTERCOM:
        of_token = diagnosis.check_intercom_token(given, secret=known.secret)
    else:
        of_token = diagnosis.check_salesforce_token(
            given, keys=known.keys, issuer=known.issuer, audience=known.audience
        )
    findings = [*of_token, *of_key]
    header, claims = (parsed.header, _shortened(parsed.claims)) if parsed else ({}, {})
    if arguments.json:
        print(as_json(findings, token=name, header=header, claims=claims))
    else:
        print(name)
        if parsed:
            print("header", json.dumps(header))
            print("claims", json.dumps(claims, indent=2))
        print(token_report(name, of_token))
        if of_key:
            print(report(of_key))
        print(f"\n{summary(findings)}")
    return int(diagnosis.has_errors(findings))


def _inspect_page(document: str, known: _Known, of_key: list[diagnosis.Finding], *, as_json_document: bool) -> int:
    findings = diagnosis.check_page(
        document,
        secret=known.secret,
        keys=known.keys,
        issuer=known.issuer,
        audience=known.audience,
        fin_managed=known.fin_managed or (not known.keys and SALESFORCE not in document),
    )
    findings += of_key
    print(as_json(findings) if as_json_document else f"{report(findings)}\n\n{summary(findings)}".lstrip())
    return int(diagnosis.has_errors(findings))


@dataclass(frozen=True, slots=True)
class _Known:
    """What tokens are verified with, as far as it is known."""

    secret: bytes | None
    key_file: bytes | None
    keys: list[diagnosis.VerifyingKey]
    issuer: str | None
    audience: str | None
    fin_managed: bool


def _known(arguments: argparse.Namespace) -> _Known:
    secret, key = (
        None if path is None else read_key(FileKeySource(path)) for path in (arguments.secret_file, arguments.key)
    )
    reading = read_environment(None if arguments.env else {}, prefix=arguments.prefix)
    if arguments.env:
        raise_first(reading.problems)
    return _Known(
        secret=reading.secret if secret is None else secret.without_line_end(),
        key_file=key,
        keys=configured_keys(reading) if key is None else diagnosis.read_verifying_keys(key),
        issuer=arguments.issuer or reading.value("SALESFORCE_ISSUER") or None,
        audience=arguments.audience or reading.value("SALESFORCE_AUDIENCE") or None,
        fin_managed=reading.fin_managed,
    )


def _shortened(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Shorten long strings, which could be tokens themselves."""
    if isinstance(value, dict):
        return {name: _shortened(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_shortened(item) for item in value]
    if isinstance(value, str) and len(value) > _MAX_LENGTH:
        return f"{value[:_MAX_LENGTH]}… ({len(value)} characters)"
    return value
