"""``doctor``: all checks of the configuration and the keys, and with ``--online`` what the org answers."""

from __future__ import annotations

import argparse
from pathlib import Path

from fin_messenger_auth import diagnosis
from fin_messenger_auth.diagnosis.report import as_json, report, summary
from fin_messenger_auth.diagnosis.transcript import to_json
from fin_messenger_auth.errors import ConfigurationError


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "doctor",
        help="check the configuration and the keys, and list what only the platforms can tell",
        description="Check the environment and a key directory. Nothing leaves this machine, except with --online: "
        "it sends a token for the user ID fin-messenger-auth-doctor to the org, and only there.",
    )
    parser.add_argument("key_directory", metavar="KEY_DIRECTORY", nargs="?", help="the directory that keygen wrote")
    parser.add_argument("--issuer", help="the keyset's issuer, to be compared with SALESFORCE_ISSUER")
    parser.add_argument(
        "--attribute", metavar="NAME", action="append", default=[], help="an attribute that you sign; may be repeated"
    )
    parser.add_argument("--prefix", default="", metavar="P", help="what stands before each variable's name")
    parser.add_argument("--json", action="store_true", help="print JSON")
    online = parser.add_argument_group("online")
    online.add_argument("--online", metavar="URL", help="https://<subdomain>.my.salesforce-scrt.com")
    online.add_argument("--org-id", metavar="ID", help="the ID of the org, 00D…")
    online.add_argument("--deployment", metavar="NAME", help="the API name of the Custom Client deployment")
    online.add_argument("--jwks-url", metavar="URL", help="the Endpoint URL of the keyset")
    online.add_argument("--record", metavar="FILE", help="write the requests and answers to a file, redacted")
    parser.set_defaults(run=run, usage=parser.error)


def run(arguments: argparse.Namespace) -> int:
    """Print the findings; the exit status is 1 if one of them is an error."""
    if arguments.online and not (arguments.org_id and arguments.deployment):
        arguments.usage("--online needs --org-id and --deployment")
    if arguments.record and not (arguments.online or arguments.jwks_url):
        arguments.usage("--record needs --online or --jwks-url")
    client = diagnosis.Client()
    findings = diagnosis.run_checks(
        prefix=arguments.prefix,
        key_directory=arguments.key_directory,
        issuer=arguments.issuer,
        attributes=arguments.attribute,
        org=diagnosis.Org(arguments.online, arguments.org_id, arguments.deployment) if arguments.online else None,
        jwks_url=arguments.jwks_url,
        client=client,
    )
    if arguments.record:
        try:
            Path(arguments.record).write_text(to_json(client.exchanges), encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(f"{arguments.record} cannot be written: {error.strerror}.") from error
    print(as_json(findings) if arguments.json else f"{report(findings)}\n\n{summary(findings)}")
    return int(diagnosis.has_errors(findings))
