"""Says what the platforms would say of a token, of settings or of a page, and why (``inspect``)."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from typing import Any

from fin_messenger_auth import diagnosis
from fin_messenger_auth._environment import read_environment
from fin_messenger_auth._tokens import INTERCOM_TOKEN, SALESFORCE_TOKEN
from fin_messenger_auth.diagnosis._findings import finding
from fin_messenger_auth.diagnosis._page_reader import decoded
from fin_messenger_auth.diagnosis._report import as_json, is_clean, print_report, summary
from fin_messenger_auth.diagnosis._token_checks import check_form, token_name
from fin_messenger_auth.errors import raise_first

from .options import KEY_FILE, STANDARD_INPUT, add_options, expected_from, given_keys, read_file

_MAX_LENGTH = 120  # characters of a claim


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "inspect",
        help="say what the platform would say of a token or a page, and why",
        description="Decode a token and say what the platform would say of it. The token itself is not printed; its "
        "claims are. Standard input may also be a page or its settings as JSON, of which only the "
        "findings are printed. A key or secret to verify with is optional.",
    )
    parser.add_argument("token", metavar="TOKEN", help="either token; - reads standard input: a token, JSON or a page")
    parser.add_argument("--key", metavar="FILE", help=f"for salesforce_identity_token: {KEY_FILE}")
    parser.add_argument(
        "--env", action="store_true", help="take the secret, the key, the issuer and the audience from the environment"
    )
    add_options(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print what was found; the answer is no if one finding is an error."""
    text = decoded(read_file(STANDARD_INPUT)).strip() if arguments.token == STANDARD_INPUT else arguments.token
    reading = read_environment(None if arguments.env else {}, prefix=arguments.prefix)
    if arguments.env:
        raise_first(reading.problems)
    keys, of_key = given_keys(arguments.key)
    expected = expected_from(arguments, keys).completed(reading)
    if text[:1] in ("<", "{", "["):
        fin_managed = expected.fin_managed or (not expected.keys and SALESFORCE_TOKEN not in text)
        found = diagnosis.check_page(diagnosis.Document(text), replace(expected, fin_managed=fin_managed))
        about: dict[str, Any] = {}
    else:
        found, about = _check_token(text, expected)
    findings = [*found, *of_key]
    if arguments.json:
        print(as_json(findings, **about))
    else:
        shown = [f"{name} {json.dumps(about[name], indent=2)}" for name in ("header", "claims") if about.get(name)]
        clean = ["✓ Nothing wrong was found."] if is_clean(findings) else []
        before = "\n".join([*filter(None, [about.get("token")]), *shown, *clean])
        print_report(findings, before=before, after=summary(findings))
    return int(diagnosis.has_errors(findings))


def _check_token(text: str, expected: diagnosis.Expected) -> tuple[list[diagnosis.Finding], dict[str, Any]]:
    """Return what is wrong with a token, and what is in it."""
    parsed, _ = check_form(text, INTERCOM_TOKEN)
    name, secret = token_name(parsed) if parsed else INTERCOM_TOKEN, expected.secret.decode(errors="replace")
    if name == INTERCOM_TOKEN:
        found = diagnosis.check_intercom_token(text, secret=expected.secret)
    else:
        found = expected.check_salesforce(text)
    if parsed is None:
        return found, {"token": name, "header": {}, "claims": {}}
    if secret and secret in json.dumps([parsed.header, parsed.claims]):
        found = [finding("page-secret", check="attributes"), *found]
    return found, {"token": name, **_shortened({"header": parsed.header, "claims": parsed.claims}, secret)}


def _shortened(value: Any, secret: str) -> Any:  # noqa: ANN401 - any JSON
    """Shorten long strings, which could be tokens themselves, and leave out those with the secret."""
    if isinstance(value, dict):
        return {name: _shortened(item, secret) for name, item in value.items()}
    if isinstance(value, list):
        return [_shortened(item, secret) for item in value]
    if isinstance(value, str) and secret and secret in value:
        return "the Messenger API Secret, which is not shown"
    if isinstance(value, str) and len(value) > _MAX_LENGTH:
        return f"{value[:_MAX_LENGTH]}… ({len(value)} characters)"
    return value
