"""``inspect``: what the platform would say of a token, and why."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from fin_messenger_auth import diagnosis
from fin_messenger_auth.diagnosis.compact import INTERCOM, SALESFORCE, ReadToken, read_token
from fin_messenger_auth.diagnosis.report import as_json, report, summary, token_report
from fin_messenger_auth.keys import FileKeySource, read_key

if TYPE_CHECKING:
    import argparse

_STANDARD_INPUT = "-"
_SHOWN = 120  # characters of a claim


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "inspect",
        help="say what the platform would say of a token, and why",
        description="Take a token apart and say what the platform would say of it, check by check. The token itself "
        "is not printed; its claims are. What it is verified with is optional.",
    )
    parser.add_argument("token", metavar="TOKEN", help="either token; - reads it from standard input")
    key = parser.add_mutually_exclusive_group()
    key.add_argument("--secret-file", metavar="FILE", help="the Messenger API Secret, for intercom_user_jwt")
    key.add_argument(
        "--key", metavar="FILE", help="a JWK, JWKS, certificate or public key, for salesforce_identity_token"
    )
    parser.add_argument("--issuer", help="the keyset's issuer")
    parser.add_argument("--audience", help="what aud should be")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print what was found; the answer is no if one finding is an error."""
    token = sys.stdin.read().strip() if arguments.token == _STANDARD_INPUT else arguments.token
    guess = SALESFORCE if arguments.key or arguments.issuer else INTERCOM
    read, _ = read_token(token, guess)
    name = _name_of(read, arguments) or guess
    of_the_key = [] if arguments.key is None else diagnosis.check_key_file(read_key(FileKeySource(arguments.key)))
    of_the_token = _check(name, token, arguments)
    findings = [*of_the_token, *of_the_key]
    header, claims = (read.header, _shortened(read.claims)) if read else ({}, {})
    if arguments.json:
        print(as_json(findings, token=name, header=header, claims=claims))
    else:
        print(name)
        if read:
            print("header", json.dumps(header))
            print("claims", json.dumps(claims, indent=2))
        print(token_report(name, of_the_token))
        if of_the_key:
            print(report(of_the_key))
        print(f"\n{summary(findings)}")
    return int(diagnosis.has_errors(findings))


def _name_of(read: ReadToken | None, arguments: argparse.Namespace) -> str | None:
    if arguments.secret_file:
        return INTERCOM
    if arguments.key:
        return SALESFORCE
    return None if read is None else read.name


def _check(name: str, token: str, arguments: argparse.Namespace) -> list[diagnosis.Finding]:
    if name == INTERCOM:
        secret = (
            None if arguments.secret_file is None else read_key(FileKeySource(arguments.secret_file)).without_line_end()
        )
        return diagnosis.check_intercom_token(token, secret=secret)
    keys = [] if arguments.key is None else diagnosis.read_verifying_keys(read_key(FileKeySource(arguments.key)))
    return diagnosis.check_salesforce_token(token, keys=keys, issuer=arguments.issuer, audience=arguments.audience)


def _shortened(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Cut long texts, which could be tokens themselves."""
    if isinstance(value, dict):
        return {name: _shortened(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_shortened(item) for item in value]
    if isinstance(value, str) and len(value) > _SHOWN:
        return f"{value[:_SHOWN]}… ({len(value)} characters)"
    return value
