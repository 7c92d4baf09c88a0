"""Searches for planted keys, secrets and passwords in what an error leaves behind, and for tokens.

They are in no message, no pickle and no local variable of this library's frames. Tokens and personal values stand in
the application's own frames anyway; only an error of configuration is without them, since nothing was signed yet.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import pickle
import subprocess
import sys
import traceback
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sentry_sdk
from sentry_sdk.utils import event_from_exception

from fin_messenger_auth import (
    FileKeySource,
    HMACSigner,
    RSASigner,
    StringKeySource,
    TokenPairBuilder,
    diagnosis,
    onboarding,
    render_snippet,
    sandbox,
    testing,
)
from fin_messenger_auth._environment import KEY, PASSWORD, SECRET
from fin_messenger_auth._signers import public_key_of
from fin_messenger_auth.cli import main
from fin_messenger_auth.errors import FinMessengerAuthError
from fin_messenger_auth.page import asettings_response, settings_response
from tests.trackers import PACKAGE, TRACKERS, KeptEvents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

pytestmark = pytest.mark.filterwarnings("ignore::fin_messenger_auth.errors.FinMessengerAuthWarning")

ENVIRON = testing.throwaway_environ()
BUILDER = testing.throwaway_builder()
PUBLIC_KEY: Any = BUILDER.salesforce and public_key_of(BUILDER.salesforce.signer)
PLANTED = {"secret": ENVIRON[SECRET], "key": ENVIRON[KEY], "password": "correct-horse-battery-staple"}
BEGINNING: str = BUILDER.build_settings("42")["intercom_user_jwt"][:16]  # of every token for Intercom
NEEDLES = [ENVIRON[SECRET][:16], ENVIRON[KEY].splitlines()[5][:40], "correct-horse"]

# Everything that is given a key, a secret or a password, and what people give it by mistake.
WITH_KEYS: dict[str, Callable[[Any], object]] = {
    "FileKeySource": lambda planted: FileKeySource(planted).read(),
    "StringKeySource": lambda planted: StringKeySource([planted]),  # type: ignore[arg-type]
    "HMACSigner": lambda planted: HMACSigner(StringKeySource(planted), kid=" "),
    "HMACSigner, no source": HMACSigner,
    "RSASigner": lambda planted: RSASigner(StringKeySource(planted), kid="k", password=StringKeySource("x")),
    "RSASigner, password": lambda planted: RSASigner(
        StringKeySource(ENVIRON[KEY]), kid="k", password=StringKeySource(planted)
    ),
    "RSASigner, no source": lambda planted: RSASigner(StringKeySource(ENVIRON[KEY]), kid="k", password=planted),
    "check_secret": lambda planted: diagnosis.check_secret([planted]),  # type: ignore[arg-type]
    "check_private_key": lambda planted: diagnosis.check_private_key([planted]),  # type: ignore[arg-type]
    "read_verifying_keys": lambda planted: diagnosis.read_verifying_keys(_bytes(planted)),
    "run_checks": lambda planted: diagnosis.run_checks({**ENVIRON, SECRET: planted}, secret=planted, page=[""]),  # type: ignore[arg-type]
    "sandbox_from_env": lambda planted: sandbox.sandbox_from_env({**ENVIRON, KEY: planted}),
    "private_key_pem": lambda planted: onboarding.private_key_pem(testing.throwaway_rsa_key(), password=planted),
    "make_key_directory": lambda planted: onboarding.make_key_directory("x", kid="k", password=planted),
    "read_jwk": onboarding.read_jwk,
    "repair_jwk": lambda planted: onboarding.repair_jwk(_bytes(planted)),
    "read_public_key": lambda planted: onboarding.read_public_key(_bytes(planted)),
    "from_env": lambda planted: TokenPairBuilder.from_env({**ENVIRON, KEY: planted, "SALESFORCE_IDENTITY": "fin"}),
    "check_environment": lambda planted: diagnosis.check_environment({**ENVIRON, SECRET: planted}, prefix=1),  # type: ignore[arg-type]
    "read_certificate": lambda planted: onboarding.read_certificate(_bytes(planted)),
    "verify": lambda planted: testing.verify(BUILDER.build_settings("42"), secret=[planted]),  # type: ignore[arg-type]
    "check_signer": lambda planted: testing.check_signer(HMACSigner(StringKeySource("s" * 40)), planted),
}


def _bytes(planted: str | bytes) -> bytes:
    return planted if isinstance(planted, bytes) else planted.encode()


def frames(error: BaseException | None) -> Iterator[FrameType]:
    while error is not None:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if frame.f_globals.get("__name__", "").startswith("fin_messenger_auth"):
                yield frame
        error = error.__cause__ or error.__context__


def left_behind(error: BaseException) -> str:
    """Message, attributes, pickle, causes, the local variables of our frames, and what trackers send of them."""
    seen: list[object] = [error, error.args, vars(error), error.__cause__, error.__context__]
    if isinstance(error, FinMessengerAuthError):
        seen.append(pickle.dumps(error))
    seen += [value for frame in frames(error) for value in frame.f_locals.values()]
    return "\n".join([*map(repr, seen), str(error), *(show(error) for show in TRACKERS.values())])


def leaks(text: str) -> list[str]:
    return [needle for needle in NEEDLES if needle in text]


def errors_with_keys() -> Iterator[tuple[str, BaseException]]:
    for name, call in WITH_KEYS.items():
        for what, text in PLANTED.items():
            for planted in (text, text.encode()):
                try:
                    call(planted)
                except Exception as error:  # noqa: BLE001 - all of them are looked at
                    yield f"{name} of the {what}: {type(error).__name__}", error


@pytest.mark.parametrize("policy", ["ignore", "error"])
def test_no_error_leaves_a_key_a_secret_or_a_password(
    policy: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter(policy)
        found = {name: leaks(left_behind(error)) for name, error in errors_with_keys()}

    assert {name: each for name, each in found.items() if each} == {}
    assert {name.partition(" of the ")[0] for name in found} >= WITH_KEYS.keys()


@pytest.mark.parametrize("name", PLANTED)
@pytest.mark.parametrize("variable", [*ENVIRON, PASSWORD, f"{KEY}_FILE", "INTERCOM_REGION", "SALESFORCE_SIGNER"])
def test_no_environment_is_left_behind(name: str, variable: str) -> None:
    left = ""
    try:
        TokenPairBuilder.from_env(ENVIRON | {variable: PLANTED[name]})
    except FinMessengerAuthError as error:
        left = left_behind(error)

    assert leaks(left) == []


@pytest.mark.parametrize("name", TRACKERS)
def test_trackers_show_what_is_in_our_frames(name: str) -> None:
    """Show that the tests above would find a value if a function of ours kept it."""
    source = "def planted(value):\n    kept = [value]\n    raise ValueError(len(kept))\n"
    namespace: dict[str, Any] = {"__name__": "fin_messenger_auth.planted"}
    exec(compile(source, f"{PACKAGE}/planted.py", "exec"), namespace)
    with pytest.raises(ValueError, match="1") as caught:
        namespace["planted"](PLANTED["password"])

    assert leaks(TRACKERS[name](caught.value)) == ["correct-horse"]
    assert leaks(left_behind(caught.value)) == ["correct-horse"]


# Nothing is signed before everything that can be refused was looked at


class AsyncOnly:
    alg, kid = "RS256", "k"

    async def asign(self, _signing_input: bytes, /) -> bytes:
        raise NotImplementedError


ASYNC_ONLY = dataclasses.replace(
    BUILDER, salesforce=BUILDER.salesforce and dataclasses.replace(BUILDER.salesforce, signer=AsyncOnly())
)
ANYBODY = testing.throwaway_builder(identify=lambda user: user)
MISCONFIGURED: dict[str, Callable[[], object]] = {
    "unknown setting": lambda: BUILDER.build_settings("42", unknown=1),  # type: ignore[call-arg]
    "invalid setting": lambda: BUILDER.build_settings("42", alignment="top"),  # type: ignore[arg-type]
    "reserved setting": lambda: BUILDER.build_settings("42", extra={"user_hash": "x"}),
    "extra of another type": lambda: BUILDER.build_settings("42", extra=[1]),  # type: ignore[arg-type]
    "value that is not JSON": lambda: BUILDER.build_settings("42", extra={"a": object()}),
    "user of another type": lambda: ANYBODY.build_settings(42),
    "signer that is async only": lambda: ASYNC_ONLY.build_settings("42"),
    "tokens of a signer that is async only": lambda: ASYNC_ONLY.build("42"),
    "async, unknown setting": lambda: asyncio.run(BUILDER.abuild_settings("42", unknown=1)),  # type: ignore[call-arg]
    "endpoint, unknown setting": lambda: settings_response(BUILDER, "42", {}, "a.example", unknown=1),  # type: ignore[call-arg]
    "endpoint, async": lambda: asyncio.run(asettings_response(BUILDER, "42", {}, "a.example", extra={1: 1})),  # type: ignore[dict-item]
    "endpoint, headers of bytes": lambda: settings_response(BUILDER, "42", {b"a": b"b"}, "a.example"),  # type: ignore[dict-item]
}


@pytest.mark.parametrize("name", MISCONFIGURED)
def test_no_error_of_configuration_has_a_token_in_a_frame(name: str) -> None:
    with pytest.raises(FinMessengerAuthError) as caught:
        MISCONFIGURED[name]()

    assert BEGINNING not in left_behind(caught.value)


# What an application scrubs of its own frames: the recipe for Sentry in the docs


def sent_by_sentry(monkeypatch: pytest.MonkeyPatch, raising: Callable[[], object], *, scrubbed: bool) -> str:
    """Return the whole event that Sentry's SDK sends, started by the recipe."""
    page = Path(__file__).parents[1] / "docs" / "security" / "data-protection.md"
    recipe: dict[str, Any] = {}
    exec(page.read_text("utf-8").partition("```python\n")[2].partition("```")[0], recipe)
    started: dict[str, Any] = {}
    monkeypatch.setattr(sentry_sdk, "init", lambda _dsn, **options: started.update(options))
    recipe["start_sentry"]("https://key@sentry.example/1")
    kept = KeptEvents()
    options = {"transport": kept, "release": "1", "auto_enabling_integrations": False, **started}
    client = sentry_sdk.Client("https://key@sentry.example/1", **options)
    client.options["event_scrubber"] = started["event_scrubber"] if scrubbed else None
    with pytest.raises(ValueError, match="in a view") as caught:
        raising()
    event, hint = event_from_exception(caught.value, client_options=client.options)
    client.capture_event(event, hint=hint, scope=sentry_sdk.Scope())
    return json.dumps(kept.events, default=repr)


def failing_view() -> None:
    page = {"settings": BUILDER.build_settings("42", name="Ada")}
    intercom_user_jwt = page["settings"]["intercom_user_jwt"]
    signing_input = intercom_user_jwt.encode()
    snippet = render_snippet(page["settings"])
    raise ValueError(f"in a view of {len(signing_input) + len(snippet)} characters")


def test_the_recipe_for_sentry_scrubs_tokens_in_the_frames_of_an_application(monkeypatch: pytest.MonkeyPatch) -> None:
    assert BEGINNING in sent_by_sentry(monkeypatch, failing_view, scrubbed=False)
    assert BEGINNING not in sent_by_sentry(monkeypatch, failing_view, scrubbed=True)


# What commands print, start and write


COMMANDS = [
    "jwk --private-key FILE --certificate FILE",
    "jwks FILE",
    "certificate --private-key FILE",
    "inspect x --key FILE",
    "inspect x --secret-file FILE",
    "keygen FILE",
    "doctor FILE",
    "settings --user ",
]


@pytest.mark.parametrize("value", PLANTED.values(), ids=list(PLANTED))
@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_prints_what_a_file_holds(
    command: str, value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "planted"
    file.write_text(value)
    monkeypatch.setenv(SECRET, value)

    main([str(file) if each == "FILE" else each for each in command.split(" ")])

    printed = capsys.readouterr()
    assert leaks(printed.err + ("" if command.startswith("certificate") else printed.out)) == []
    assert list(tmp_path.iterdir()) == [file]


def test_a_key_directory_holds_the_key_in_one_file_and_the_password_in_none(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(PLANTED["password"])
    directory = tmp_path / "keys"
    code = f"""if True:
        import sys, fin_messenger_auth.cli as cli
        sys.addaudithook(lambda event, _: event in ("subprocess.Popen", "os.exec", "os.putenv") and print(event))
        sys.exit(cli.main(["keygen", {str(directory)!r}, "--password-file", {str(tmp_path / "password")!r}]))"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)

    assert not any(line in ("subprocess.Popen", "os.exec", "os.putenv") for line in done.stdout.splitlines())
    written = {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    assert [path.name for path, content in written.items() if PLANTED["password"].encode() in content] == []
    (private,) = [path for path, content in written.items() if b"PRIVATE KEY" in content]
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in written[private]
    assert private.stat().st_mode & 0o077 == 0
