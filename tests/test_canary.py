"""Planted values, searched for in all that an error of this library leaves behind: none may be found."""

from __future__ import annotations

import asyncio
import builtins
import inspect
import io
import logging
import os
import pickle
import re
import subprocess
import sys
import traceback
import warnings
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Self

import pytest

from fin_messenger_auth import MessengerUser, TokenPairBuilder
from fin_messenger_auth._environment import KEY, SECRET
from fin_messenger_auth.cli import main
from fin_messenger_auth.onboarding import make_key_directory
from fin_messenger_auth.testing import throwaway_builder, throwaway_environ
from tests.trackers import PACKAGE, TRACKERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import FrameType

ENVIRON = throwaway_environ()
BUILDER = throwaway_builder()
TOKEN: str = BUILDER.build_settings("42")["intercom_user_jwt"]
PLANTED = {
    "secret": ENVIRON[SECRET],
    "pem": ENVIRON[KEY],
    "password": "correct-horse-battery-staple",
    "token": TOKEN,
    "person": "Ada Canary Lovelace",
}
NEEDLES = [
    ENVIRON[SECRET][:16],
    ENVIRON[KEY].splitlines()[5][:40],
    "correct-horse",
    TOKEN.split(".")[1][:24],
    "Ada Canary",
]
VALUES: list[Any] = [each for value in PLANTED.values() for each in (value, value.encode(), [value], {"x": value})]
MODULES = ["", ".diagnosis", ".onboarding", ".page", ".sandbox", ".testing"]
# They start a server, measure or return what they were given.
SKIPPED = {
    "Evidence",
    "Level",
    "SandboxServer",
    "start_throwaway",
    "run_checks",
    "with_deadline",
    "Reloading",
    "throwaway_rsa_key",
}


def public() -> list[tuple[str, Callable[..., Any]]]:
    found: dict[int, tuple[str, Callable[..., Any]]] = {}
    for name in MODULES:
        module = import_module(f"fin_messenger_auth{name}")
        for each in module.__all__:
            value = getattr(module, each)
            protocol = getattr(value, "_is_protocol", False)
            if callable(value) and each not in SKIPPED and not protocol:
                found[id(value)] = (f"{name}.{each}", value)
    return sorted(found.values(), key=lambda each: each[0])


def calls(function: Callable[..., Any]) -> Iterator[Callable[[], Any]]:
    """Calls with a planted value for one argument at a time, and plain ones for the others."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return
    needed = [each for each in parameters if each.default is each.empty and each.kind in (0, 1, 3)]
    # Messages name variables, with their prefix, and directories.
    named = {"prefix", "directory", *(["path"] if function is make_key_directory else [])}
    for chosen in [each for each in parameters if each.kind not in (2, 4) and each.name not in named]:
        for value in VALUES:
            given = {each.name: value if each is chosen else "x" for each in {*needed, chosen}}
            args = [given.pop(each.name) for each in parameters if each.kind in (0, 1) and each.name in given]
            yield partial(function, *args, **given)


def frames(error: BaseException | None) -> Iterator[FrameType]:
    while error is not None:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if frame.f_globals.get("__name__", "").startswith("fin_messenger_auth"):
                yield frame
        error = error.__cause__ or error.__context__


def sliced(value: object) -> list[object]:
    try:
        return [value, value[:200], value[:60], value[5:100]]  # type: ignore[index]
    except Exception:  # noqa: BLE001 - whatever cannot be sliced
        return [value]


def left_behind(error: BaseException) -> str:
    """Message, repr, arguments, attributes, pickle, causes, and the local variables of our frames, whole and sliced."""
    seen = [
        str(error),
        repr(error),
        repr(error.args),
        repr(vars(error)),
        repr(error.__cause__),
        repr(error.__context__),
    ]
    try:
        seen.append(repr(pickle.dumps(error)))
    except Exception as refusal:  # noqa: BLE001 - an error of somebody else's
        seen.append(repr(refusal))
    for frame in frames(error):
        for value in list(frame.f_locals.values()):
            seen += [repr(part) for part in sliced(value)]
    return "\n".join(seen)


def leaks(text: str) -> list[str]:
    return [needle for needle in NEEDLES if needle in text]


class Doings:
    """Other processes that are started, variables that are set, and files that are written meanwhile."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self._patch = pytest.MonkeyPatch()

    def __enter__(self) -> Self:
        for module, names in _DOING.items():
            for name in names:
                self._patch.setattr(module, name, self._noting(name, getattr(module, name)))
        return self

    def __exit__(self, *_: object) -> None:
        self._patch.undo()

    def _noting(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def note(*arguments: Any, **named: Any) -> Any:
            how = named.get("mode", [*arguments, "r"][1]) if name == "open" else ""
            reads = not (how & (os.O_WRONLY | os.O_RDWR) if isinstance(how, int) else set(how) & set("wax+"))
            what = os.fspath(arguments[0]) if isinstance(arguments[0], os.PathLike) else arguments[0]
            if name != "open" or not (reads or isinstance(what, int)):  # the number of a file that was noted
                self.seen.append(f"{name} {(what,)}")
            return function(*arguments, **named)

        return note


# No audit hook: it stays in the process, and a thread that starts under coverage can fail in one.
_DOING: dict[Any, tuple[str, ...]] = {
    builtins: ("open",),
    io: ("open",),
    os: ("open", "system", "execv", "posix_spawn", "fork", "putenv"),
    subprocess: ("Popen",),
}


def failures(caplog: pytest.LogCaptureFixture) -> Iterator[tuple[str, BaseException]]:
    caplog.set_level(logging.DEBUG, "fin_messenger_auth")
    for name, function in public():
        for call in calls(function):
            try:
                result = call()
                if inspect.iscoroutine(result):
                    asyncio.run(result)
            except Exception as error:  # noqa: BLE001 - all of them are looked at
                yield name, error


@pytest.mark.parametrize("policy", ["ignore", "error"])
def test_no_error_path_leaves_a_planted_value(
    policy: Any, caplog: pytest.LogCaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found: dict[str, list[str]] = {}
    count = tracked = 0
    with warnings.catch_warnings(), Doings() as doings:
        warnings.simplefilter(policy)
        for name, error in failures(caplog):
            count += 1
            if seen := leaks(left_behind(error)):
                found.setdefault(f"{name}: {type(error).__name__}", seen)
            if count % 8 == 0:  # rich takes ten milliseconds for one
                tracked += 1
                for tracker, show in TRACKERS.items():
                    if seen := leaks(show(error)):
                        found.setdefault(f"{tracker}, {name}: {type(error).__name__}", seen)

    assert found == {}
    assert leaks(caplog.text) == []
    # make_key_directory writes where it is told.
    assert [each for each in doings.seen if not re.match(r"open \('x/[a-z-]+\.(pem|json)'", each)] == []
    assert (count >= 300, tracked >= 300) == (True, True)


ENVIRONMENTS = {
    f"{name} in {variable}": ENVIRON | {variable: value}
    for name, value in PLANTED.items()
    for variable in (*ENVIRON, "INTERCOM_REGION", "INTERCOM_TOKEN_LIFETIME", "SALESFORCE_IDENTITY", "SALESFORCE_SIGNER")
}


@pytest.mark.filterwarnings("ignore::fin_messenger_auth.FinMessengerAuthWarning")
@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_no_environment_is_left_behind(name: str) -> None:
    left: list[str] = []
    try:
        TokenPairBuilder.from_env(ENVIRONMENTS[name])
    except Exception as error:  # noqa: BLE001 - all of them are looked at
        left = leaks(left_behind(error))
    assert left == []


@pytest.mark.parametrize("name", TRACKERS)
def test_trackers_show_what_is_in_our_frames(name: str) -> None:
    """Show that the test above would find a value if a function of ours kept it."""
    source = "def planted(value):\n    kept = [value]\n    raise ValueError(len(kept))\n"
    namespace: dict[str, Any] = {"__name__": "fin_messenger_auth.planted"}
    exec(compile(source, f"{PACKAGE}/planted.py", "exec"), namespace)
    with pytest.raises(ValueError, match="1") as caught:
        namespace["planted"]("Ada Canary Lovelace")

    assert leaks(TRACKERS[name](caught.value)) == ["Ada Canary"]
    assert leaks(left_behind(caught.value)) == ["Ada Canary"]


def test_half_a_pair_leaves_no_token() -> None:
    class Slow:
        alg, kid = "HS256", None

        async def asign(self, _signing_input: bytes, /) -> bytes:
            return b"x" * 32

    class Broken:
        alg, kid = "RS256", "k"

        async def asign(self, _signing_input: bytes, /) -> bytes:
            await asyncio.sleep(0)
            raise OSError

    from fin_messenger_auth import IntercomMinter, SalesforceMinter

    salesforce = SalesforceMinter(Broken(), issuer="https://a.example", audience="https://a.my.salesforce-scrt.com")
    builder = TokenPairBuilder(app_id="a", intercom=IntercomMinter(Slow()), salesforce=salesforce)
    with pytest.raises(Exception, match="OSError") as caught:
        asyncio.run(builder.abuild(MessengerUser("42", name="Ada Canary Lovelace")))

    assert "eyJ" not in left_behind(caught.value)


@pytest.mark.parametrize("value", PLANTED.values(), ids=list(PLANTED))
@pytest.mark.parametrize(
    "command",
    [
        ["jwk", "--private-key", "FILE", "--certificate", "FILE"],
        ["jwks", "FILE"],
        ["certificate", "--private-key", "FILE"],
        ["inspect", "x", "--key", "FILE"],
        ["inspect", "x", "--secret-file", "FILE"],
        ["keygen", "FILE"],
        ["doctor", "FILE"],
        ["settings", "--user", ""],
    ],
    ids=" ".join,
)
def test_no_command_prints_what_a_file_holds(
    command: list[str], value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "planted"
    file.write_text(value)
    monkeypatch.setenv(SECRET, value)
    with Doings() as doings:
        main([str(file) if each == "FILE" else each for each in command])

    assert doings.seen == []  # nothing in a list of processes, in an environment of another or in a file
    printed = capsys.readouterr()
    assert leaks(printed.err) == []
    if command[0] != "certificate":
        assert leaks(printed.out) == []


def test_what_is_started_and_written_is_seen(tmp_path: Path) -> None:
    with Doings() as doings:
        (tmp_path / "a").write_text("x")
        subprocess.run([sys.executable, "-c", ""], check=True)
        monkeypatch = pytest.MonkeyPatch()
        monkeypatch.setenv("FIN_MESSENGER_CANARY", "x")
        monkeypatch.undo()

    assert {each.partition(" ")[0] for each in doings.seen} >= {"open", "Popen", "putenv"}


def test_a_key_directory_holds_the_key_in_one_file_and_the_password_in_none(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text(PLANTED["password"])
    with Doings() as doings:
        status = main(["keygen", str(tmp_path / "keys"), "--password-file", str(password)])

    assert status == 0
    assert not [each for each in doings.seen if not each.startswith("open")]
    written = {path: path.read_bytes() for path in (tmp_path / "keys").rglob("*") if path.is_file()}
    assert [path.name for path, content in written.items() if PLANTED["password"].encode() in content] == []
    (private,) = [path for path, content in written.items() if b"PRIVATE KEY" in content]
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in written[private]
    assert private.stat().st_mode & 0o077 == 0
