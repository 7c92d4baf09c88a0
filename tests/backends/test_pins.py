"""How often a wrong PIN is tried at a token, which locks itself after a few."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fin_messenger_auth import StringKeySource
from fin_messenger_auth.backends import _refused_pins
from fin_messenger_auth.backends.pkcs11 import PKCS11Signer, _Session
from fin_messenger_auth.errors import ConfigurationError, KeyUnavailableError
from fin_messenger_auth.testing import check_signer

from .conftest import PIN, TOKEN
from .test_pkcs11 import Administrator, administrator, forgotten, signer_for  # noqa: F401 - fixtures

BEFORE, WRONG = "has refused this PIN before", "the PIN is wrong"
COUNT_LOW, FINAL_TRY, LOCKED = 0x10000, 0x20000, 0x40000  # CK_TOKEN_INFO.flags, PKCS#11 v2.40 §3.2
MARK = bytes.fromhex("000000008000534b0000000000000002")  # before the flags, in SoftHSM's file of a token

SCRIPT = """
import sys
from fin_messenger_auth import StringKeySource
from fin_messenger_auth.backends.pkcs11 import PKCS11Signer
from fin_messenger_auth.errors import KeyUnavailableError
module, token, key, pin = sys.argv[1:]
try:
    print(PKCS11Signer(module, token=token, key=key, pin=StringKeySource(pin), kid="k"))
except KeyUnavailableError as error:
    print(error)
"""


@pytest.fixture
def start(hsm: str, administrator: Any) -> Callable[[str], subprocess.Popen[str]]:  # noqa: F811
    """What starts a process that logs in with a PIN and prints what comes of it."""
    label = administrator.make_key()
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT, hsm, TOKEN, label]
    return lambda pin: subprocess.Popen([*command, pin], stdout=subprocess.PIPE, text=True)


def said(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return output


@contextmanager
def flags(more: int) -> Iterator[None]:
    """Let the token say what a real one says after wrong PINs: SoftHSM counts none."""
    for path in Path(os.environ["SOFTHSM2_CONF"]).with_name("tokens").glob("*/token.object"):
        content = path.read_bytes()
        place = content.index(MARK) + len(MARK)
        value = int.from_bytes(content[place : place + 8]) | more
        path.write_bytes(content[:place] + value.to_bytes(8) + content[place + 8 :])
        try:
            yield
        finally:
            path.write_bytes(content)


def test_processes_that_start_together_try_a_wrong_pin_once(start: Any, refused_pins: Path) -> None:
    answers = [said(each) for each in [start("wrong-pin") for _ in range(4)]]

    assert sum(WRONG in each for each in answers) == 1
    assert sum(BEFORE in each for each in answers) == 3
    [refused, lock] = sorted(refused_pins.iterdir(), key=lambda path: path.name == "lock")
    assert refused.stat().st_mode & 0o777 == 0o600
    assert refused_pins.stat().st_mode & 0o777 == 0o700
    assert lock.stat().st_mode & 0o777 == 0o600
    assert "wrong-pin" not in refused.name
    assert refused.read_bytes() == b""
    assert PIN not in "".join(answers)


def test_another_pin_is_tried_and_the_first_one_again_after_a_week_or_when_its_file_is_removed(
    start: Any, refused_pins: Path
) -> None:
    assert WRONG in said(start("wrong-pin"))
    assert WRONG in said(start("also-wrong"))
    assert BEFORE in said(start("wrong-pin"))
    assert "PKCS11Signer" in said(start(PIN))
    for path in refused_pins.iterdir():
        os.utime(path, (0, time.time() - _refused_pins.REMEMBERED - 1))
    assert WRONG in said(start("wrong-pin"))
    again = said(start("wrong-pin"))
    assert BEFORE in again
    Path(again.partition("or remove ")[2].partition(" if this one")[0]).unlink()
    assert WRONG in said(start("wrong-pin"))
    assert "PKCS11Signer" in said(start(PIN))


@pytest.mark.parametrize(
    ("more", "pin", "answer"),
    [
        (FINAL_TRY | COUNT_LOW, PIN, "one more wrong PIN would lock the token"),
        (LOCKED, PIN, "the PIN is locked"),
        (COUNT_LOW, PIN, "PKCS11Signer"),
        (COUNT_LOW, "new-and-wrong", WRONG),
    ],
)
def test_the_flags_of_the_token_are_read_before_a_login(start: Any, more: int, pin: str, answer: str) -> None:
    with flags(more):
        assert answer in said(start(pin))


@pytest.mark.parametrize("mode", [0o755, None], ids=["open to others", "cannot be made"])
def test_without_a_private_directory_it_is_remembered_in_the_process(
    hsm: str,
    administrator: Administrator,  # noqa: F811
    refused_pins: Path,
    monkeypatch: pytest.MonkeyPatch,
    mode: int | None,
) -> None:
    label = administrator.make_key()
    if mode is None:
        monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    else:
        refused_pins.mkdir()
        refused_pins.chmod(mode)
    with pytest.raises(KeyUnavailableError, match=WRONG):
        signer_for(hsm, label, pin=StringKeySource("wrong-pin"))
    for _ in range(3):
        with pytest.raises(KeyUnavailableError, match=rf"{BEFORE}.* or restart if this one is right now\.$"):
            signer_for(hsm, label, pin=StringKeySource("wrong-pin"))
    with pytest.raises(KeyUnavailableError, match="no private directory"):  # the token says that a PIN was refused
        signer_for(hsm, label, pin=StringKeySource("also-wrong"))
    monkeypatch.setattr(tempfile, "tempdir", str(refused_pins.parent))
    refused_pins.mkdir(exist_ok=True)
    refused_pins.chmod(0o700)
    signer_for(hsm, label)


def test_a_process_waits_for_the_login_of_another_but_not_for_ever(
    hsm: str,
    administrator: Administrator,  # noqa: F811
    refused_pins: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fcntl = pytest.importorskip("fcntl")
    label = administrator.make_key()
    refused_pins.mkdir(0o700)
    monkeypatch.setattr(_refused_pins, "LONGEST_WAIT", 0.1)
    with (refused_pins / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(KeyUnavailableError, match="Another process has been logging in"):
            signer_for(hsm, label)
    signer_for(hsm, label)


def test_without_locks_of_files_it_works_too(
    hsm: str,
    administrator: Administrator,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_refused_pins, "fcntl", None)
    signer_for(hsm, administrator.make_key())


@pytest.mark.parametrize(("flag", "error"), [(LOCKED, "PinLocked"), (FINAL_TRY, "KeyUnavailableError")])
def test_no_pin_is_tried_where_one_more_mistake_would_lock_the_token(flag: int, error: str) -> None:
    import pkcs11

    session = _Session(pkcs11, "module", {}, StringKeySource(PIN))
    now = SimpleNamespace(flags=pkcs11.TokenFlag(flag))
    slot = SimpleNamespace(get_token=lambda: now)
    token = SimpleNamespace(manufacturer_id="m", model="m", serial=b"1", label=TOKEN, slot=slot)

    with pytest.raises((KeyUnavailableError, pkcs11.exceptions.PinLocked)) as caught:
        session._log_in(token)
    assert type(caught.value).__name__ == error


# RFC 7512.


def uri(hsm: str, label: str) -> dict[str, str]:
    import pkcs11

    token = pkcs11.lib(hsm).get_token(token_label=TOKEN)
    return {
        "token": TOKEN.replace("-", "%2d"),
        "serial": token.serial.decode(),
        "manufacturer": token.manufacturer_id.replace(" ", "%20"),
        "model": token.model.replace(" ", "%20"),
        "slot-id": str(token.slot.slot_id),
        "object": label,
        "id": "%" + label.encode().hex("%"),
        "type": "private",
    }


NAMES = [
    ("token", "object"),
    ("serial", "object"),
    ("slot-id", "object"),
    ("model", "manufacturer", "serial", "token", "object", "type"),
]


@pytest.mark.parametrize("names", NAMES, ids=str)
def test_a_uri_says_where_the_key_is(hsm: str, administrator: Administrator, names: tuple[str, ...]) -> None:  # noqa: F811
    parts = uri(hsm, administrator.make_key())
    text = "pkcs11:" + ";".join(f"{name}={parts[name]}" for name in names)
    signer = PKCS11Signer(hsm, uri=text, pin=StringKeySource(PIN), kid="key-1")
    check_signer(signer, signer.public_key)


def test_a_uri_with_the_id_of_the_key(hsm: str, administrator: Administrator) -> None:  # noqa: F811
    from pkcs11 import KeyType

    administrator.drop_sessions()
    with administrator.token.open(rw=True, user_pin=PIN) as session:
        session.generate_keypair(KeyType.RSA, 2048, store=True, label="of-an-id", id=b"\x01\xff;")
    signer = PKCS11Signer(hsm, uri=f"pkcs11:token={TOKEN};id=%01%FF%3b", pin=StringKeySource(PIN), kid="key-1")
    check_signer(signer, signer.public_key)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("token=t;object=k", "expected pkcs11:name=value"),
        ("pkcs11:token=t;token=u;object=k", "each name once"),
        ("pkcs11:token=t;object=k?pin-value=1234", "module and PIN"),
        ("pkcs11:token=t;object=k?module-path=/m.so", "module and PIN"),
        ("pkcs11:token=t;objekt=k", "objekt is not known here"),
        ("pkcs11:token=t;object=k;type=public", "expected type=private"),
        ("pkcs11:token=t", "which key"),
        ("pkcs11:object=k", "which token"),
        ("pkcs11:", "which token"),
        ("pkcs11:token=%ff;object=k", "not UTF-8"),
        (" pkcs11:token=t;object=k", "expected pkcs11:name=value"),
        ("pkcs11:token=t;object=k\n", "whitespace"),
        ("", "expected pkcs11:name=value"),
    ],
)
def test_a_uri_that_names_no_key_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^The PKCS#11 URI.*{message}") as caught:
        PKCS11Signer("/m.so", uri=text, pin=StringKeySource(PIN), kid="k")
    assert "1234" not in str(caught.value)


@pytest.mark.parametrize("place", [{}, {"token": "t"}, {"uri": "pkcs11:token=t;object=k", "token": "t"}], ids=str)
def test_either_token_and_key_or_a_uri(place: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError):
        PKCS11Signer("/m.so", **place, pin=StringKeySource(PIN), kid="k")  # type: ignore[arg-type]
