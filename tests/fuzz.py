"""Inputs that no one would write: ``nox -s fuzz``, guided by coverage where atheris has a wheel, else by Hypothesis.

Each target takes bytes, makes what it needs from them, and holds what the library promises for any input: nothing but
its own errors is raised, no token is accepted that was not signed, no script is left, the same value is read back.
``--seconds`` is the time for all targets together, ``--target`` chooses one, ``--runs`` ends each after so many inputs,
and ``--input`` repeats what was found. 200,000 pages: ``--target pages --runs 200000 --seconds 7200``.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import hmac
import json
import math
import re
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests import attacks
from tests.ways import WAYS

GUIDED = find_spec("atheris") is not None
ROOT = Path(__file__).parents[1]
LONGEST = 4_000  # bytes of one input
AT_ONCE = 2

if GUIDED:
    import atheris


def instrumented() -> contextlib.AbstractContextManager[None]:
    """Instrument what is imported, so that coverage guides the choice of inputs."""
    if not GUIDED:
        return contextlib.nullcontext()
    chosen: contextlib.AbstractContextManager[None] = atheris.instrument_imports(include=["fin_messenger_auth"])
    return chosen


with instrumented():
    from fin_messenger_auth import (
        Company,
        HMACSigner,
        MessengerUser,
        RSASigner,
        StringKeySource,
        TokenPairBuilder,
        identify,
    )
    from fin_messenger_auth._json_values import is_lost, read_json
    from fin_messenger_auth.diagnosis import (
        Document,
        Org,
        _online,
        _page_checks,
        _page_engine,
        _page_reader,
        check_certificate,
        check_environment,
        check_intercom_token,
        check_jwk,
        check_jwks,
        check_key_file,
        check_org,
        check_page,
        check_pair,
        check_private_key,
        check_published_jwks,
        check_salesforce_token,
        has_errors,
        read_verifying_keys,
    )
    from fin_messenger_auth.diagnosis._http import Answer
    from fin_messenger_auth.diagnosis._page_reader import read_page
    from fin_messenger_auth.errors import FinMessengerAuthError
    from fin_messenger_auth.onboarding import make_jwk, read_jwk, self_signed_certificate
    from fin_messenger_auth.page import is_same_origin, render_snippet
    from fin_messenger_auth.page._snippet import _source
    from fin_messenger_auth.sandbox import Sandbox
    from fin_messenger_auth.testing import throwaway_builder, throwaway_environ, throwaway_rsa_key

ENVIRON = throwaway_environ()
SECRET = ENVIRON["INTERCOM_MESSENGER_SECRET"].encode()
BUILDER = throwaway_builder()


class Input:
    """The bytes of one input, from which a target takes what it needs."""

    def __init__(self, data: bytes) -> None:
        self.left = data

    def take(self, size: int) -> bytes:
        """Return the next bytes, fewer where there are not as many."""
        taken, self.left = self.left[:size], self.left[size:]
        return taken

    def number(self, below: int) -> int:
        """Return a number from 0 up to but not including ``below``, which is at most 256."""
        return int.from_bytes(self.take(1), "big") % below

    def text(self) -> str:
        """Return a string of up to 255 bytes; some have lone surrogates."""
        return self.take(self.number(256)).decode("utf-8", "surrogatepass" if self.number(2) else "replace")

    def text_or_empty(self) -> str:
        """Return a string, empty where its bytes are none."""
        with contextlib.suppress(UnicodeDecodeError):
            return self.text()
        return ""

    def rest(self) -> bytes:
        """Return all that is left."""
        return self.take(len(self.left))

    def value(self, depth: int = 0) -> Any:
        """Return a value as an application might pass it, JSON or not."""
        kind = self.number(16 if depth < 70 else 12)
        plain: list[Callable[[], Any]] = [
            self.text_or_empty,
            lambda: None,
            lambda: bool(self.number(2)),
            lambda: int.from_bytes(self.take(8), "big", signed=True),
            lambda: 1 << (8 * self.number(256)),
            lambda: float.fromhex(f"0x1.{self.take(6).hex() or '0'}p{self.number(256) - 128}"),
            lambda: (math.nan, math.inf, -0.0)[self.number(3)],
            lambda: self.take(9),
            lambda: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=int.from_bytes(self.take(3), "big") % 10**6),
            object,
            lambda: {self.text_or_empty()},
            lambda: Nasty(self.text_or_empty()),
        ]
        if kind < len(plain):
            return plain[kind]()
        if kind < len(plain) + 2:
            return [self.value(depth + 1) for _ in range(self.number(5))]
        return {self.name(): self.value(depth + 1) for _ in range(self.number(5))}

    def name(self) -> str:
        """Return the name of an attribute, which may be one that means something."""
        known = ("id", "user_id", "exp", "name", "company", "app_id", "__proto__", "intercom_user_jwt", "created_at")
        chosen = self.number(32)
        return known[chosen] if chosen < len(known) else self.text_or_empty()


class Nasty(str):
    """A string that lies about itself."""

    __slots__ = ()

    def __str__(self) -> str:
        """Lie."""
        return "</script>"

    def strip(self, *_: object) -> str:
        """Lie again."""
        return "x"


def base64url(data: bytes) -> str:
    """Encode without padding."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@cache
def good() -> Mapping[str, str]:
    """Return the tokens that may be accepted."""
    settings = BUILDER.build_settings(MessengerUser("42", attributes={"plan": "pro"}))
    return {"user_id": "42"} | {name: settings[name] for name in ("intercom_user_jwt", "salesforce_identity_token")}


@cache
def documents() -> Mapping[str, bytes]:
    """Return key documents of each kind."""
    key = throwaway_rsa_key()
    signer = RSASigner(StringKeySource(ENVIRON["SALESFORCE_PRIVATE_KEY"]), kid="k")
    certificate = self_signed_certificate(signer, key.public_key())
    jwk = make_jwk(key.public_key(), certificate)
    return {
        "pem": ENVIRON["SALESFORCE_PRIVATE_KEY"].encode(),
        "jwk": json.dumps(jwk).encode(),
        "jwks": json.dumps({"keys": [jwk]}).encode(),
        "x5c": base64.b64decode(jwk["x5c"][0]),
    }


@cache
def verifying() -> list[Any]:
    """Return the key that verifies the Salesforce token."""
    return read_verifying_keys(documents()["jwk"])


SANDBOX = Sandbox(secret=SECRET)


def tokens(given: Input) -> None:
    """Hold that a token is accepted only if it was signed with the key, and belongs to its own user then."""
    if given.number(2):
        token = given.rest().decode("utf-8", "replace")
        if token not in good().values():
            assert has_errors(check_intercom_token(token, secret=SECRET))
            assert has_errors(check_salesforce_token(token, keys=verifying()))
            assert SANDBOX.verdict({"user_id": "42", "intercom_user_jwt": token}).user_id is None
        check_pair(token, token)
        return
    message = f"{base64url(given.take(given.number(256)))}.{base64url(given.rest())}"
    token = f"{message}.{base64url(hmac.digest(SECRET, message.encode(), 'sha256'))}"
    check_intercom_token(token, secret=SECRET)
    check_salesforce_token(token, keys=verifying())
    accepted = SANDBOX.verdict({"user_id": "42", "intercom_user_jwt": token}).user_id
    if accepted is not None:
        read = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        assert accepted == read["user_id"] == "42"


def key_documents(given: Input) -> None:
    """Hold that a key document is read or refused with an error of ours, which quotes nothing of a private key."""
    document = given.rest()
    readers: list[Callable[[bytes], object]] = [
        read_jwk,
        read_verifying_keys,
        lambda each: RSASigner(StringKeySource(each), kid="k"),
        lambda each: RSASigner(StringKeySource(each), kid="k", password=StringKeySource("p")),
        lambda each: HMACSigner(StringKeySource(each)),
    ]
    for read in readers:
        with contextlib.suppress(FinMessengerAuthError):
            read(document)
    found = [*check_key_file(document), *check_jwk(document), *check_jwks(document), *check_private_key(document)]
    found += check_certificate(document)
    if b"PRIVATE KEY" in document:
        said = "\n".join(f"{each.message} {each.fix}" for each in found)
        assert not [each for each in re.findall(rb"[A-Za-z0-9+/]{40,}", document) if each.decode() in said]


def json_documents(given: Input) -> None:
    """Hold that what is read is what every other reader reads."""
    document = given.rest()
    with contextlib.suppress(ValueError):
        read = read_json(document)
        assert json.dumps(read) == json.dumps(json.loads(document))


def users(given: Input) -> None:
    """Hold that a user is refused with an error of ours, or its tokens say of it what was passed."""
    user_id, subject = (given.value() if given.number(2) else given.text_or_empty() for _ in range(2))
    attributes, company = given.value(), given.value()
    with contextlib.suppress(FinMessengerAuthError):
        identify(SimpleNamespace(pk=user_id, is_authenticated=given.value()))
    with contextlib.suppress(FinMessengerAuthError):
        of = Company(company, attributes=attributes) if given.number(2) else None
        made = MessengerUser(
            user_id, salesforce_subject=subject or None, company=of, attributes=attributes, created_at=given.value()
        )
        pair = BUILDER.build(made)
        assert pair
        assert pair.salesforce_identity_token
        first, second = (
            json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
            for token in (pair.intercom_user_jwt, pair.salesforce_identity_token)
        )
        assert not is_lost(first["user_id"])
        assert second["sub"] == (made.salesforce_subject or first["user_id"])
        claims = BUILDER.intercom.claims(made, first["exp"] - 3600)
        assert json.dumps(first, sort_keys=True) == json.dumps(json.loads(json.dumps(claims)), sort_keys=True)


def settings(given: Input) -> None:
    """Hold that settings are refused with an error of ours, or stand in one script that reads them back."""
    extra = {given.name(): given.value() for _ in range(given.number(4))}
    public = {given.name(): given.value() for _ in range(given.number(3))}
    user = None if given.number(2) else "42"
    with contextlib.suppress(FinMessengerAuthError):
        made = BUILDER.build_settings(user, extra=extra, **public)
        html = render_snippet(made)
        before, after = f"<script>{_source()}.boot(", ");</script>"
        assert html.startswith(before)
        assert html.endswith(after)
        written = html.removeprefix(before).removesuffix(after)
        assert not set("<>&") & set(written)
        assert written.isascii()
        if not written.startswith("JSON.parse("):
            assert json.JSONDecoder().raw_decode(written)[0] == json.loads(json.dumps(made))
    assert user is not None or "user_id" not in BUILDER.build_settings(None)


def pages(given: Input) -> None:
    """Hold that a page is read without an error, whatever is in it.

    It is read in this process, without the one of its own that a user's page gets: a crash would be found.
    """
    document = given.rest().decode("utf-8", "replace") if given.number(2) else pieces(given)
    if document.lstrip("\ufeff \t\r\n")[:1] in ("{", "["):
        page = read_page(document)
    else:
        page = _page_reader._page_of(_page_engine.read(document, cpu_seconds=0.1))
    for each in page.settings:
        json.dumps(each.values, default=repr).encode()
    with mock.patch.object(_page_checks, "read_page", return_value=page):
        check_page(Document(document, {"content-security-policy": given.text_or_empty()}))


def pieces(given: Input) -> str:
    """Make a page of parts of pages, whole, cut or with noise between them."""
    made = ["<html><body><script>"] if given.number(2) else []
    while given.left:
        piece = PIECES[given.number(256) % len(PIECES)]
        kind = given.number(8)
        made.append(piece[given.number(256) % len(piece) :] if kind == 1 else piece)
        made += [given.text_or_empty()] if kind == 2 else []
    return "".join(made)


PIECES = [
    *(f"</script>\n<script>{source}" for sources, _ in WAYS.values() for source in sources),
    *(f"</script><script>{each.replace('@', attacks.SETTINGS)}" for each in (attacks.HARMLESS | attacks.ODD).values()),
    *(
        "</script><script type=module>",
        "import a, {b} from '@intercom/messenger-js-sdk';",
        "</script><p id=x class='y z'>",
    ),
    *("</script><script type='application/json'>", '{"app_id": "a"}', "<!--", "-->", "<script", "</", "<b onclick='"),
    *(
        "{",
        "}",
        "(",
        ")",
        "[",
        "]",
        ";",
        ",",
        "'",
        '"',
        "`",
        "${",
        "/*",
        "*/",
        "//",
        "=>",
        "...",
        "\n",
        "\0",
        "\ufeff",
        "/",
    ),
    *(
        "function () {",
        "async ",
        "await ",
        "class A {",
        "let x = ",
        "if (a) ",
        "for (;;) ",
        "try {",
        "} catch {",
        "throw ",
    ),
    *(
        "window.",
        "document.",
        "Intercom('boot', ",
        "Intercom('update', {user_id: 1})",
        "nobody.x()",
        "null",
        "this",
        "new ",
    ),
    *(
        "addEventListener('load', ",
        "setTimeout(",
        "setInterval(",
        "Promise.resolve().then(",
        "document.write(",
        ".append(",
    ),
    *(
        "document.createElement('script')",
        "s.src = 'https://widget.intercom.io/widget/a'",
        "document.querySelector('p')",
    ),
    *(
        "Object.defineProperty(",
        "Object.setPrototypeOf(",
        "new Proxy({}, {get",
        "Symbol.iterator",
        "globalThis",
        "eval(",
    ),
]


def answers(given: Input) -> None:
    """Hold that an answer of an org or of a JWKS is a list of findings."""

    def send(url: str, *_: object) -> Answer:
        headers = {"date": given.text_or_empty(), "cache-control": given.text_or_empty()}
        status = (200, 200, 401, 400, 500)[given.number(5)]
        return Answer(url, status, headers, given.take(256 * given.number(8) + given.number(256)))

    with mock.patch.object(_online, "send", send):
        check_org(
            Org("https://acme.my.salesforce-scrt.com", "00D000000000000AAA", "Chat"),
            good()["salesforce_identity_token"],
        )
        check_published_jwks("https://a.example/jwks")


def environments(given: Input) -> None:
    """Hold that the builder refuses what the doctor calls an error, and nothing else."""
    names = sorted({*ENVIRON, "INTERCOM_REGION", "INTERCOM_TOKEN_LIFETIME", "SALESFORCE_IDENTITY", "SALESFORCE_ISSUER"})
    environ = {name: value for name, value in ENVIRON.items() if not name.startswith("SALESFORCE_")}
    environ |= (
        {"SALESFORCE_IDENTITY": "fin-managed"} if given.number(64) else ENVIRON
    )  # an RSA key takes 30 ms to check
    for _ in range(given.number(4)):
        environ[names[given.number(len(names))]] = given.text_or_empty()
    found = check_environment(environ)
    try:
        TokenPairBuilder.from_env(environ)
        refused = False
    except FinMessengerAuthError:
        refused = True
    assert refused == has_errors(found)
    origin, host = given.text_or_empty(), given.text_or_empty()
    if is_same_origin({"Origin": origin}, host):
        assert host
        assert host.lower() in origin.lower()


@dataclass(frozen=True)
class Target:
    """What is fuzzed, and what it starts from."""

    run: Callable[[Input], None]
    seeds: Callable[[], list[bytes]]


def _pages() -> list[bytes]:
    html = render_snippet(BUILDER.build_settings("42"))
    return [
        b"\1" + html.encode(),
        b"\1<script>Intercom('boot', {app_id: 'a', user_id: `${x}`, company: {id: 1},});</script>",
        b"\1<script>window.intercomSettings.email = 'a';</script><meta http-equiv=Content-Security-Policy content=x>",
        b"\1" + json.dumps(BUILDER.build_settings("42")).encode(),
        *(bytes([0, 1, *range(start, start + 40)]) for start in (0, 40, 80, 120, 160, 200)),
    ]


TARGETS: dict[str, Target] = {
    "tokens": Target(
        tokens,
        lambda: [
            *(b"\1" + token.encode() for token in good().values()),
            b'\0\x1b{"alg":"HS256","typ":"JWT"}{"user_id":"42","exp":4102444800}',
            b'\0\x2a{"alg":"HS256","typ":"JWT","crit":["exp"]}{"user_id":"42","exp":4102444800}',
        ],
    ),
    "key documents": Target(key_documents, lambda: list(documents().values())),
    "JSON": Target(json_documents, lambda: [b'{"a":[1,2.5e3,true,null,"\\ud83d\\ude00"]}', b"[[[]]]", b'"\\u0000"']),
    "users": Target(users, lambda: [b"\0\x0242\0\x00\x0f\x03\x20\x04plan\x00\x03pro" * 3, bytes(range(256))]),
    "settings": Target(settings, lambda: [b"\1\x1f\1a\0\0\x09</script>\0\0\1", bytes(range(256))]),
    "pages": Target(pages, _pages),
    "answers of an org": Target(
        answers,
        lambda: [
            b'\0\0\0\0\xff{"embeddedServiceConfig":{"embeddedServiceMessagingChannel":{"authMode":"Auth"}}}',
            b'\0\0\0\0\xff{"context":{"endUser":{"subject":"v2/iamessage/AUTH/Ada"}},"message":"Ada Lovelace"}',
            b"\0\0\0\3\0" + documents()["jwks"],
        ],
    ),
    "environments": Target(
        environments, lambda: [b"\1\2\3\x05 text\4\x0462.5", b"\0\x11https://a.example\x09a.example"]
    ),
}


def one_input(name: str, data: bytes) -> None:
    """Run a target on one input."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        TARGETS[name].run(Input(data))


def guided(name: str, seconds: int, most: int, directory: Path) -> None:
    """Fuzz a target with atheris, which ends the process."""
    for number, seed in enumerate(TARGETS[name].seeds()):
        (directory / f"seed{number}").write_bytes(seed)
    options = [
        f"-max_total_time={seconds}",
        *([f"-runs={most}"] if most else []),
        f"-max_len={LONGEST}",
        "-timeout=20",
        f"-artifact_prefix={directory}/crash-",
    ]
    atheris.Setup([sys.argv[0], *options, str(directory)], lambda data: one_input(name, data))
    atheris.Fuzz()


def unguided(name: str, seconds: int, most: int, directory: Path) -> None:
    """Fuzz a target with Hypothesis: random bytes, and seeds with a part replaced."""
    from hypothesis import HealthCheck, Phase, given
    from hypothesis import settings as configured
    from hypothesis import strategies as st

    runs, end = 0, time.monotonic() + seconds
    cut = st.integers(0, LONGEST)
    seeds = st.sampled_from(TARGETS[name].seeds())
    changed = st.builds(lambda seed, at, size, new: seed[:at] + new + seed[at + size :], seeds, cut, cut, st.binary())

    @configured(
        max_examples=200, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(st.binary(max_size=LONGEST) | seeds | changed)
    def run(data: bytes) -> None:
        nonlocal runs
        runs += 1
        try:
            one_input(name, data)
        except BaseException:
            (directory / "crash-hypothesis").write_bytes(data)
            raise

    while time.monotonic() < end and (not most or runs < most):
        run()
    print(f"Done {runs} runs", file=sys.stderr)


def fuzz(name: str, seconds: int, most: int) -> tuple[str, bool]:
    """Fuzz one target in a process of its own; return what to say, and whether it held."""
    with TemporaryDirectory() as directory:
        command = [sys.executable, __file__, "--target", name, "--seconds", str(seconds), "--runs", str(most)]
        command += ["--into", directory]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
        printed = done.stderr.decode(errors="replace")
        runs = re.search(r"Done (\d+) runs", printed)
        found = [base64.b64encode(path.read_bytes()).decode() for path in Path(directory).glob("crash-*")]
    if done.returncode == 0 and runs:
        return f"{name}: {int(runs[1]):,} inputs, 0 failures", True
    repeat = [f"repeat it with: --target '{name}' --input {each}" for each in found]
    return "\n".join([f"{name}: FAILED", done.stdout.decode(errors="replace")[-3000:], printed[-3000:], *repeat]), False


def run_all(names: list[str], seconds: int, most: int) -> Iterator[tuple[str, bool]]:
    """Fuzz the targets, two at once, each with its share of the time."""
    share = max(1, seconds * AT_ONCE // len(names))
    with ThreadPoolExecutor(AT_ONCE) as together:
        yield from together.map(lambda name: fuzz(name, share, most), names)


def main(arguments: list[str]) -> int:
    """Fuzz, print a line for each target, and return 1 if one did not hold."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--runs", type=int, default=0, help="how many inputs are enough, whatever the time")
    parser.add_argument("--target", choices=TARGETS)
    parser.add_argument("--input", help="what was found, in Base64")
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.input is not None:
        one_input(asked.target, base64.b64decode(asked.input))
        return 0
    if asked.into is not None:
        (guided if GUIDED else unguided)(asked.target, asked.seconds, asked.runs, asked.into)
        return 0
    names = [asked.target] if asked.target else list(TARGETS)
    print(f"Guided by {'coverage (atheris)' if GUIDED else 'Hypothesis'}, {asked.seconds} s.", flush=True)
    held = True
    for said, each in run_all(names, asked.seconds, asked.runs):
        print(said, flush=True)
        held &= each
    return int(not held)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
