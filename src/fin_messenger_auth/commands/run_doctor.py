"""Checks configuration, keys, upload and page, and asks the org with ``--online`` (``doctor``)."""

from __future__ import annotations

import argparse
import os
import re

from fin_messenger_auth import diagnosis
from fin_messenger_auth._environment import FIN_MANAGED, Variables
from fin_messenger_auth.diagnosis._http import NoAnswerError, send
from fin_messenger_auth.diagnosis._page_reader import decoded
from fin_messenger_auth.diagnosis._report import as_json, report, summary
from fin_messenger_auth.errors import ConfigurationError

from .options import STANDARD_INPUT, add_options, expected_from, read_file

_HEADER = re.compile(r"[\w-]+\s*:[^\r\n]*")
_CLEAN = "✓ Nothing wrong was found. What could not be checked from here:\n"
_STATUS = (
    "The exit status is 0 if there is no error and, with --strict, also no warning and nothing that was not looked at "
    "or not checked; 2 for wrong usage; and otherwise 1, also if the page or a file cannot be read."
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
    add_options(parser)
    parser.add_argument(
        "--attribute", metavar="NAME", action="append", default=[], help="an attribute that you sign; may be repeated"
    )
    parser.add_argument("--strict", action="store_true", help="let warnings and what was not checked count, too")
    parser.add_argument("--json", action="store_true", help="print JSON")
    online = parser.add_argument_group("online (experimental: built from reports, not from a recorded answer)")
    online.add_argument("--online", metavar="URL", help="https://<subdomain>.my.salesforce-scrt.com")
    online.add_argument("--org-id", metavar="ID", help="the ID of the org, 00D…")
    online.add_argument("--deployment", metavar="NAME", help="the API name of the Custom Client deployment")
    online.add_argument("--jwks-url", metavar="URL", help="the Endpoint URL of the keyset")
    parser.set_defaults(run=run, usage=parser.error)


def run(arguments: argparse.Namespace) -> int:
    """Print the findings; the exit status is that of the command's help."""
    _check_usage(arguments)
    findings = diagnosis.run_checks(
        prefix=arguments.prefix,
        key_directory=arguments.key_directory,
        issuer=arguments.issuer,
        attributes=arguments.attribute,
        org=diagnosis.Org(arguments.online, arguments.org_id, arguments.deployment) if arguments.online else None,
        jwks_url=arguments.jwks_url,
        uploaded=None if arguments.uploaded is None else read_file(arguments.uploaded),
        page=None if arguments.page is None else _page(arguments),
        user_id=arguments.user,
        audience=arguments.audience,
        secret=expected_from(arguments).secret,
    )
    looked_at, missing = _looked_at(arguments)
    if arguments.json:
        print(as_json(findings, looked_at=looked_at, not_looked_at=missing))
    else:
        clean = all(each.level is diagnosis.Level.UNCHECKED for each in findings)
        print(_CLEAN if clean else "", end="")
        print(f"{report(findings)}\n\n{summary(findings)}\nLooked at: {', '.join(looked_at)}.")
        if missing:
            print(f"Not looked at: {'; '.join(missing)}.")
    if diagnosis.has_errors(findings):
        return 1
    wanting = missing or any(each.level is diagnosis.Level.WARNING or each.code == "unchecked" for each in findings)
    return int(arguments.strict and bool(wanting))


def _check_usage(arguments: argparse.Namespace) -> None:
    """Refuse an option that would be ignored."""
    page = arguments.page or ""
    for given, needed, wrong in (
        (arguments.online, arguments.org_id and arguments.deployment, "--online needs --org-id and --deployment"),
        (arguments.cookie or arguments.header, "://" in page, "--cookie and --header need --page URL"),
        (arguments.cookie, "=" in (arguments.cookie or ""), "--cookie: expected NAME=VALUE"),
        (arguments.header, all(map(_HEADER.fullmatch, arguments.header)), "--header: expected NAME:VALUE"),
        (arguments.user is not None, page, "--user needs --page"),
        (page == STANDARD_INPUT, arguments.uploaded != STANDARD_INPUT, "only one of --page and --uploaded can be -"),
    ):
        if given and not needed:
            arguments.usage(wrong)


def _looked_at(arguments: argparse.Namespace) -> tuple[list[str], list[str]]:
    looked_at: list[str] = []
    missing: list[str] = []
    fin_managed = os.environ.get(f"{arguments.prefix}SALESFORCE_IDENTITY") == FIN_MANAGED
    if (arguments.key_directory or arguments.uploaded) and Variables(None, arguments.prefix).is_empty:
        missing = ["the environment: none of its variables is set"]
    else:
        looked_at = ["the environment"]
    for given, what, how in (
        (arguments.page, "your page", "--page URL"),
        (arguments.uploaded, "the upload", "--uploaded FILE"),
        (arguments.key_directory, "the key directory", "KEY_DIRECTORY"),
    ):
        named = given and ("://" in given or given == STANDARD_INPUT or os.path.exists(given))  # noqa: PTH110
        looked_at += [f"{what} ({given})" if named else what] if given else []
        missing += [] if given or (fin_managed and what != "your page") else [f"{what}: {how}"]
    return looked_at, missing


def _page(arguments: argparse.Namespace) -> diagnosis.Document:
    if "://" not in arguments.page:
        return diagnosis.Document(decoded(read_file(arguments.page)))
    cookie = [f"Cookie:{arguments.cookie}"] if arguments.cookie else []
    headers = [each.partition(":") for each in (*arguments.header, *cookie)]
    try:
        answer = send(arguments.page, {name.strip(): value.strip() for name, _, value in headers})
    except NoAnswerError as error:
        raise ConfigurationError(f"The page cannot be fetched: {error}.") from error
    text = decoded(answer.body, answer.headers.get("content-type", ""))
    return diagnosis.Document(text, answer.headers, answer.status)
