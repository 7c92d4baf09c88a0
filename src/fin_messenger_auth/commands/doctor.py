"""``doctor``: all checks of the configuration, the keys, the upload and a page; with ``--online`` the org's answer."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fin_messenger_auth import diagnosis
from fin_messenger_auth.diagnosis.http_client import NoAnswerError, fetch_page
from fin_messenger_auth.diagnosis.report import as_json, report, summary
from fin_messenger_auth.diagnosis.transcript import to_json
from fin_messenger_auth.errors import ConfigurationError
from fin_messenger_auth.keys import FileKeySource, read_key

_STANDARD_INPUT = "-"
_STATUS = (
    "Exit status: 1 if an error was found, or with --strict also a warning or something that was not checked; 0 if "
    "not; 2 for wrong usage."
)


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "doctor",
        help="check the configuration, the keys, the upload and a page, and list what only the platforms can tell",
        description="Check the environment, a key directory, what was uploaded to Salesforce, and a page of the "
        "running site. Nothing leaves this machine, but --page URL fetches that page, and --online sends a token for "
        "the user ID fin-messenger-auth-doctor to the org.",
        epilog=_STATUS,
    )
    parser.add_argument("key_directory", metavar="KEY_DIRECTORY", nargs="?", help="the directory that keygen wrote")
    parser.add_argument("--uploaded", metavar="FILE", help="the JWK or JWKS that was uploaded to Salesforce")
    parser.add_argument(
        "--page", metavar="URL|FILE|-", help="a page of the running site, a saved page, or settings as JSON"
    )
    parser.add_argument("--cookie", metavar="C", help="the Cookie header for --page URL, so that a user is signed in")
    parser.add_argument(
        "--header", metavar="H", action="append", default=[], help="a header for --page URL, as NAME:VALUE"
    )
    parser.add_argument("--user", metavar="ID", help='the user ID that the page must have; "" for an anonymous visitor')
    parser.add_argument("--issuer", help="the keyset's issuer, to be compared with SALESFORCE_ISSUER")
    parser.add_argument("--audience", help="the expected aud, if it is not SALESFORCE_AUDIENCE")
    parser.add_argument("--secret-file", metavar="FILE", help="the Messenger API Secret, if not the environment's")
    parser.add_argument(
        "--attribute", metavar="NAME", action="append", default=[], help="an attribute that you sign; may be repeated"
    )
    parser.add_argument("--prefix", default="", metavar="P", help="what stands before each variable's name")
    parser.add_argument("--strict", action="store_true", help="let warnings and what was not checked count, too")
    parser.add_argument("--json", action="store_true", help="print JSON")
    online = parser.add_argument_group("online (experimental: built from reports, not from a recorded answer)")
    online.add_argument("--online", metavar="URL", help="https://<subdomain>.my.salesforce-scrt.com")
    online.add_argument("--org-id", metavar="ID", help="the ID of the org, 00D…")
    online.add_argument("--deployment", metavar="NAME", help="the API name of the Custom Client deployment")
    online.add_argument("--jwks-url", metavar="URL", help="the Endpoint URL of the keyset")
    online.add_argument("--record", metavar="FILE", help="write the requests and answers to a file, redacted")
    parser.set_defaults(run=run, usage=parser.error)


def run(arguments: argparse.Namespace) -> int:
    """Print the findings; the exit status is that of the command's help."""
    if arguments.online and not (arguments.org_id and arguments.deployment):
        arguments.usage("--online needs --org-id and --deployment")
    if arguments.record and not (arguments.online or arguments.jwks_url):
        arguments.usage("--record needs --online or --jwks-url")
    client = diagnosis.Client()
    secret = arguments.secret_file and read_key(FileKeySource(arguments.secret_file)).without_line_end()
    findings = diagnosis.run_checks(
        prefix=arguments.prefix,
        key_directory=arguments.key_directory,
        issuer=arguments.issuer,
        attributes=arguments.attribute,
        org=diagnosis.Org(arguments.online, arguments.org_id, arguments.deployment) if arguments.online else None,
        jwks_url=arguments.jwks_url,
        client=client,
        uploaded=None if arguments.uploaded is None else _read(arguments.uploaded),
        page=None if arguments.page is None else _page(arguments),
        user_id=arguments.user,
        audience=arguments.audience,
        secret=secret,
    )
    if arguments.record:
        try:
            Path(arguments.record).write_text(to_json(client.exchanges), encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(f"{arguments.record} cannot be written: {error.strerror}.") from error
    looked_at, missing = _looked_at(arguments)
    if arguments.json:
        print(as_json(findings, looked_at=looked_at, not_looked_at=missing))
    else:
        print(f"{report(findings)}\n\n{summary(findings)}\nLooked at: {', '.join(looked_at)}.")
        if missing:
            print(f"Not looked at: {'; '.join(missing)}.")
    counts = {diagnosis.Level.ERROR, *([diagnosis.Level.WARNING] if arguments.strict else [])}
    open_questions = arguments.strict and (missing or any(each.code == "unchecked" for each in findings))
    return int(bool(open_questions) or any(each.level in counts for each in findings))


def _looked_at(arguments: argparse.Namespace) -> tuple[list[str], list[str]]:
    looked_at, missing = ["the environment"], []
    for given, what, how in (
        (arguments.page, "your page", "--page URL"),
        (arguments.uploaded, "the upload", "--uploaded FILE"),
        (arguments.key_directory, "the key directory", "KEY_DIRECTORY"),
    ):
        looked_at += [f"{what} ({given})"] if given else []
        missing += [] if given else [f"{what}: {how}"]
    return looked_at, missing


def _read(path: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if path == _STANDARD_INPUT else Path(path).read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from error


def _page(arguments: argparse.Namespace) -> diagnosis.Document:
    if "://" not in arguments.page:
        return diagnosis.Document(_read(arguments.page).decode(errors="replace"))
    headers = dict(each.split(":", 1) for each in arguments.header if ":" in each)
    if arguments.cookie:
        headers["Cookie"] = arguments.cookie
    try:
        answer = fetch_page(arguments.page, {name.strip(): value.strip() for name, value in headers.items()})
    except NoAnswerError as error:
        raise ConfigurationError(f"The page cannot be fetched: {error}.") from error
    return diagnosis.Document(answer.body.decode(errors="replace"), answer.headers)
