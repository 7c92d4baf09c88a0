"""``inspect``: what the platform would say of a token, and why."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from fin_messenger_auth import diagnosis
from fin_messenger_auth.diagnosis.report import as_json, report, summary, token_report
from fin_messenger_auth.diagnosis.token_checks import check_form, token_name
from fin_messenger_auth.intercom import TOKEN as INTERCOM
from fin_messenger_auth.keys import FileKeySource, read_key
from fin_messenger_auth.salesforce import TOKEN as SALESFORCE

_STANDARD_INPUT = "-"
_MAX_LENGTH = 120  # characters of a claim


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "inspect",
        help="say what the platform would say of a token, and why",
        description="Decode a token and say what the platform would say of it, check by check. The token itself "
        "is not printed; its claims are. A key or secret to verify it with is optional.",
    )
    parser.add_argument("token", metavar="TOKEN", help="either token; - reads it from standard input")
    key = parser.add_mutually_exclusive_group()
    key.add_argument("--secret-file", metavar="FILE", help="the Messenger API Secret, for intercom_user_jwt")
    key.add_argument(
        "--key", metavar="FILE", help="a JWK, JWKS, certificate or public key, for salesforce_identity_token"
    )
    parser.add_argument("--issuer", help="the keyset's issuer")
    parser.add_argument("--audience", help="the expected aud")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print what was found; the answer is no if one finding is an error."""
    token = sys.stdin.read().strip() if arguments.token == _STANDARD_INPUT else arguments.token
    parsed, _ = check_form(token, INTERCOM)
    if arguments.secret_file or arguments.key or parsed is None:
        name = INTERCOM if arguments.secret_file or not (arguments.key or arguments.issuer) else SALESFORCE
    else:
        name = token_name(parsed)
    key = None if arguments.key is None else read_key(FileKeySource(arguments.key))
    of_key = [] if key is None else diagnosis.check_key_file(key)
    of_token = _check(name, token, key, arguments)
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


def _check(name: str, token: str, key: bytes | None, arguments: argparse.Namespace) -> list[diagnosis.Finding]:
    if name == INTERCOM:
        path = arguments.secret_file
        secret = None if path is None else read_key(FileKeySource(path)).without_line_end()
        return diagnosis.check_intercom_token(token, secret=secret)
    keys = [] if key is None else diagnosis.read_verifying_keys(key)
    return diagnosis.check_salesforce_token(token, keys=keys, issuer=arguments.issuer, audience=arguments.audience)


def _shortened(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Shorten long strings, which could be tokens themselves."""
    if isinstance(value, dict):
        return {name: _shortened(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_shortened(item) for item in value]
    if isinstance(value, str) and len(value) > _MAX_LENGTH:
        return f"{value[:_MAX_LENGTH]}… ({len(value)} characters)"
    return value
