"""Checks configuration, keys, upload and page, and asks the org with ``--online`` (``doctor``)."""

from __future__ import annotations

import argparse
import json
import os
import re
from pathlib import Path

from fin_messenger_auth import diagnosis
from fin_messenger_auth._environment import FIN_MANAGED, Variables
from fin_messenger_auth.diagnosis._findings import one_line
from fin_messenger_auth.diagnosis._key_checks import certificate_ends
from fin_messenger_auth.diagnosis._page_checks import fetch_site
from fin_messenger_auth.diagnosis._page_reader import decoded
from fin_messenger_auth.diagnosis._report import as_json, is_clean, print_report, summary

from .options import STANDARD_INPUT, add_options, read_file

_HEADER = re.compile(r"[\w-]+\s*:[^\r\n]*")
_COOKIE = re.compile(r"^(cookie\s*:)?\s*", re.IGNORECASE)  # a line of a browser's tools has the name in front
_CLEAN = "✓ Nothing wrong was found. What could not be checked from here:"
_CLEAN_OF_NOBODY = "✓ Nothing wrong was found on the page of an anonymous visitor. What could not be checked from here:"
_SECRET = "the workspace's secret: --secret-file FILE"  # noqa: S105 - the name of an option
_ROLES = {"script": "its renewal script", "endpoint": "its settings endpoint", "nobody": "the page without the cookie"}
_STATUS = (
    "The exit status is 0 if there is no error and, with --strict, also no warning and nothing that was not looked at "
    "or not checked (the secret excepted); 2 for wrong usage; and otherwise 1, also if a file cannot be read."
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
    parser.add_argument("--strict", action="store_true", help="treat warnings and skipped checks as errors")
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
    page = _page(arguments)
    findings = diagnosis.run_checks(
        prefix=arguments.prefix,
        key_directory=arguments.key_directory,
        issuer=arguments.issuer,
        attributes=arguments.attribute,
        org=diagnosis.Org(arguments.online, arguments.org_id, arguments.deployment) if arguments.online else None,
        jwks_url=arguments.jwks_url,
        uploaded=None if arguments.uploaded is None else _uploaded(arguments.uploaded),
        page=page,
        user_id=arguments.user,
        audience=arguments.audience,
        secret=Path(arguments.secret_file) if arguments.secret_file else None,
    )
    looked_at, missing = _looked_at(arguments, page)
    unread = any(each.code == "unchecked" and each.check == "page" for each in findings)
    if unread:
        looked_at = [each for each in looked_at if not each.startswith(("your page", "the page"))]
        missing.append("your page, which was not read")
    if arguments.json:
        print(as_json(findings, looked_at=looked_at, not_looked_at=missing))
    else:
        clean = not unread and is_clean(findings)
        ends = [*([_compared(arguments)] if clean else []), f"Looked at: {', '.join(looked_at)}."]
        ends += [f"Not looked at: {'; '.join(missing)}."] if missing else []
        print_report(
            findings,
            before=(_CLEAN_OF_NOBODY if arguments.user == "" else _CLEAN) if clean else "",
            after="\n".join([summary(findings), *ends]),
        )
    if diagnosis.has_errors(findings):
        return 1
    wanting = [each for each in missing if each != _SECRET]  # it can be compared with another copy of it only
    wanting += [each.code for each in findings if each.level is diagnosis.Level.WARNING or each.code == "unchecked"]
    return int(arguments.strict and bool(wanting))


def _uploaded(path: str) -> bytes | Path:
    content = read_file(path)  # says in our words that it cannot be read
    return content if path == STANDARD_INPUT else Path(path)


def _check_usage(arguments: argparse.Namespace) -> None:
    """Refuse an option that would be ignored."""
    page = arguments.page or ""
    for given, needed, wrong in (
        (arguments.online, arguments.org_id and arguments.deployment, "--online needs --org-id and --deployment"),
        (arguments.cookie or arguments.header, "://" in page, "--cookie and --header need --page URL"),
        (arguments.cookie, re.fullmatch("[^\r\n]*=[^\r\n]*", arguments.cookie or ""), "--cookie: expected NAME=VALUE"),
        (arguments.header, all(map(_HEADER.fullmatch, arguments.header)), "--header: expected NAME:VALUE"),
        (arguments.user is not None, page, "--user needs --page"),
        (page == STANDARD_INPUT, arguments.uploaded != STANDARD_INPUT, "only one of --page and --uploaded can be -"),
    ):
        if given and not needed:
            arguments.usage(wrong)


def _looked_at(arguments: argparse.Namespace, page: diagnosis.Document | None) -> tuple[list[str], list[str]]:
    looked_at: list[str] = []
    missing: list[str] = []
    fin_managed = os.environ.get(f"{arguments.prefix}SALESFORCE_IDENTITY") == FIN_MANAGED
    if (arguments.key_directory or arguments.uploaded) and Variables(None, arguments.prefix).is_empty:
        missing = ["the environment: none of its variables is set"]
    else:
        looked_at = ["the environment"]
        missing = [] if arguments.secret_file else [_SECRET]
    for given, what, how in (
        (arguments.page, "your page", "--page URL"),
        (arguments.uploaded, "the upload", "--uploaded FILE"),
        (arguments.key_directory, "the key directory", "KEY_DIRECTORY"),
    ):
        named = given and ("://" in given or given == STANDARD_INPUT or os.path.exists(given))  # noqa: PTH110
        looked_at += [f"{what} ({one_line(given)})" if named else what] if given else []
        missing += [] if given or (fin_managed and what != "your page") else [f"{what}: {how}"]
    if arguments.page and arguments.user == "":
        missing.append("the page of a signed-in user: --cookie NAME=VALUE and --user ID")
    looked_at += [f"{_ROLES[each.role]} ({one_line(each.asked)})" for each in (page.others if page else ())]
    return looked_at, missing


def _compared(arguments: argparse.Namespace) -> str:
    """Say what was compared with what, and when the certificate ends."""
    keyset, what = arguments.uploaded or arguments.key_directory, []
    if keyset:
        what.append(f"the keys of {one_line(keyset)} with the environment")
    if arguments.issuer:
        what.append(f"the issuer with {json.dumps(arguments.issuer)}")
    if arguments.page:
        what.append("the page with both" if keyset else "the page with the environment")
    ends = None if keyset is None or keyset == STANDARD_INPUT else certificate_ends(Path(keyset))
    certificate = f" The certificate ends on {ends}." if ends else ""
    return f"Compared: {', '.join(what) or 'nothing: give the upload, the issuer and a page'}.{certificate}"


def _page(arguments: argparse.Namespace) -> diagnosis.Document | None:
    if arguments.page is None:
        return None
    if "://" not in arguments.page:
        return diagnosis.Document(decoded(read_file(arguments.page)))
    cookie = [_COOKIE.sub("Cookie:", arguments.cookie)] if arguments.cookie else []
    headers = [each.partition(":") for each in (*arguments.header, *cookie)]
    named = {name.strip(): value.strip() for name, _, value in headers}
    return fetch_site(arguments.page, named, also_without_session=bool(arguments.user))
