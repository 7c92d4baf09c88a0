"""``doctor``: everything that can be known of a set-up from here, and with ``--online`` what the org says."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from fin_messenger_auth import diagnosis
from fin_messenger_auth.diagnosis.report import as_json, report, summary
from fin_messenger_auth.diagnosis.transcript import to_json
from fin_messenger_auth.errors import ConfigurationError, FinMessengerAuthError

if TYPE_CHECKING:
    import argparse


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "doctor",
        help="say what is wrong with the configuration and the keys, and what cannot be seen from here",
        description="Examine the environment and a key directory without leaving this machine. With --online a token "
        "for a user of the doctor's own is sent to the org, and to nobody else.",
    )
    parser.add_argument("key_directory", metavar="KEY_DIRECTORY", nargs="?", help="what keygen wrote")
    parser.add_argument("--issuer", help="the keyset's issuer, to be compared")
    parser.add_argument(
        "--attribute", metavar="NAME", action="append", default=[], help="an attribute that you sign; may be repeated"
    )
    parser.add_argument("--prefix", default="", metavar="P", help="what stands before each variable's name")
    parser.add_argument("--json", action="store_true", help="print JSON")
    online = parser.add_argument_group("online")
    online.add_argument("--online", metavar="URL", help="https://<subdomain>.my.salesforce-scrt.com")
    online.add_argument("--org-id", metavar="ID", help="the id of the org, 00D…")
    online.add_argument("--deployment", metavar="NAME", help="the API name of the Custom Client deployment")
    online.add_argument("--jwks-url", metavar="URL", help="the Endpoint URL of the keyset")
    online.add_argument("--record", metavar="FILE", help="write what was asked and answered, redacted")
    parser.set_defaults(run=run, usage=parser.error)


def run(arguments: argparse.Namespace) -> int:
    """Print what was found; the answer is no if one finding is an error."""
    if arguments.online and not (arguments.org_id and arguments.deployment):
        arguments.usage("--online needs --org-id and --deployment")
    if arguments.record and not (arguments.online or arguments.jwks_url):
        arguments.usage("--record needs --online or --jwks-url")
    findings = diagnosis.examine(
        prefix=arguments.prefix,
        key_directory=arguments.key_directory,
        issuer=arguments.issuer,
        attributes=arguments.attribute,
    )
    findings = [*_ask(arguments), *findings]
    if arguments.json:
        print(as_json(findings))
    else:
        print(report(findings))
        print(f"\n{summary(findings)}")
    return int(diagnosis.has_errors(findings))


def _ask(arguments: argparse.Namespace) -> list[diagnosis.Finding]:
    client = diagnosis.Client()
    findings: list[diagnosis.Finding] = []
    if arguments.online:
        org = diagnosis.Org(arguments.online, arguments.org_id, arguments.deployment)
        findings += diagnosis.check_org(org, _token(arguments.prefix), client=client)
    if arguments.jwks_url:
        kid = os.environ.get(f"{arguments.prefix}SALESFORCE_KEY_ID") or None
        findings += diagnosis.check_published_jwks(arguments.jwks_url, kid=kid, client=client)
    if arguments.record:
        try:
            Path(arguments.record).write_text(to_json(client.exchanges), encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(f"{arguments.record} cannot be written: {error.strerror}.") from error
    return findings


def _token(prefix: str) -> str | None:
    try:
        return diagnosis.make_pair(prefix=prefix).salesforce_identity_token
    except FinMessengerAuthError:
        return None
