"""The signer for HSMs, against a software HSM that keeps its keys to itself."""

from __future__ import annotations

import asyncio
import ctypes
import os
import pickle
import sys
import traceback
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pkcs11
import pytest
from pkcs11 import Attribute, KeyType

from fin_messenger_auth import StringKeySource, with_deadline
from fin_messenger_auth.backends import _refused_pins
from fin_messenger_auth.backends import pkcs11 as backend
from fin_messenger_auth.backends.pkcs11 import PKCS11Signer
from fin_messenger_auth.errors import ConfigurationError, InvalidKeyError, KeyUnavailableError, SigningError
from fin_messenger_auth.testing import acheck_signer, check_signer

from .conftest import PIN, TOKEN, check_jwk_through

labels = (f"key-{number}" for number in count(1))


class Administrator:
    """Makes and destroys keys in the token, as a bank's HSM team does."""

    def __init__(self, module: str) -> None:
        self.module = module
        self.token = pkcs11.lib(module).get_token(token_label=TOKEN)

    def make_key(self, bits: int = 2048, label: str | None = None) -> str:
        """Make a key pair that cannot be exported, and return its label."""
        self.drop_sessions()
        label = label or next(labels)
        hidden = {Attribute.EXTRACTABLE: False, Attribute.SENSITIVE: True}
        with self.token.open(rw=True, user_pin=PIN) as session:
            session.generate_keypair(KeyType.RSA, bits, store=True, label=label, private_template=hidden)
        return label

    def destroy_key(self, label: str) -> None:
        self.drop_sessions()
        with self.token.open(rw=True, user_pin=PIN) as session:
            for each in list(session.get_objects({Attribute.LABEL: label})):
                each.destroy()

    def drop_sessions(self) -> None:
        """End every session of this process, as an HSM does that restarts or loses patience."""
        assert ctypes.CDLL(self.module).C_CloseAllSessions(ctypes.c_ulong(self.token.slot.slot_id)) == 0


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_refused_pins, "_in_this_process", {})


@pytest.fixture
def administrator(hsm: str) -> Iterator[Administrator]:
    administrator = Administrator(hsm)
    administrator.drop_sessions()
    yield administrator
    administrator.drop_sessions()


def signer_for(hsm: str, key: str, **options: Any) -> PKCS11Signer:
    arguments: dict[str, Any] = {"token": TOKEN, "key": key, "pin": StringKeySource(PIN), "kid": "key-1"}
    return PKCS11Signer(hsm, **arguments | options)


@pytest.mark.parametrize("alg", ["RS256", "RS512"])
def test_it_keeps_the_contract(hsm: str, administrator: Administrator, alg: Any) -> None:
    signer = signer_for(hsm, administrator.make_key(), alg=alg)
    assert (signer.alg, signer.kid) == (alg, "key-1")
    check_signer(signer, signer.public_key)
    asyncio.run(acheck_signer(with_deadline(signer), signer.public_key))


@pytest.mark.parametrize("alg", ["RS256", "RS512"])
def test_the_jwk_of_a_key_that_nobody_can_export(hsm: str, administrator: Administrator, alg: Any) -> None:
    check_jwk_through(signer_for(hsm, administrator.make_key(), alg=alg))


def test_a_session_is_kept_for_the_next_signature(
    hsm: str, administrator: Administrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer = signer_for(hsm, administrator.make_key())
    opened: list[object] = []
    monkeypatch.setattr(backend._Session, "_open", opened.append)
    assert signer.sign(b"first") != signer.sign(b"second")
    assert opened == []


def test_the_key_cannot_be_exported(hsm: str, administrator: Administrator) -> None:
    signer = signer_for(hsm, administrator.make_key())
    with pytest.raises(pkcs11.AttributeSensitive):
        signer._clients().key[Attribute.PRIVATE_EXPONENT]
    assert signer._clients().key[Attribute.EXTRACTABLE] is False


def test_two_signers_share_a_token_as_in_a_rotation(hsm: str, administrator: Administrator) -> None:
    labels = [administrator.make_key() for _ in range(2)]
    old, new = (signer_for(hsm, label, kid=label) for label in labels)
    for signer in (old, new):
        check_signer(signer, signer.public_key)


def test_a_session_that_the_hsm_dropped_is_replaced_unseen(hsm: str, administrator: Administrator) -> None:
    signer = signer_for(hsm, administrator.make_key(), pin=StringKeySource(f"{PIN}\n"))
    administrator.drop_sessions()
    check_signer(signer, signer.public_key)


def test_a_key_that_vanishes_is_a_signing_error_and_works_again_when_it_is_back(
    hsm: str, administrator: Administrator
) -> None:
    label = administrator.make_key()
    signer = signer_for(hsm, label)
    administrator.destroy_key(label)
    for _ in range(2):
        with pytest.raises(SigningError, match=r"^The HSM did not sign: there is no RSA private key of that"):
            signer.sign(b"message")


def test_another_key_under_the_same_label_is_never_used(hsm: str, administrator: Administrator) -> None:
    label = administrator.make_key()
    signer = signer_for(hsm, label)
    administrator.destroy_key(label)
    administrator.make_key(label=label)
    with pytest.raises(SigningError, match="signs with another key, or version of it"):
        signer.sign(b"message")


def test_a_label_of_two_keys_is_refused(hsm: str, administrator: Administrator) -> None:
    label = administrator.make_key(label=administrator.make_key())
    with pytest.raises(KeyUnavailableError, match="several RSA private keys have that label"):
        signer_for(hsm, label)


def test_a_pin_that_cannot_be_read_any_more_is_a_signing_error(hsm: str, administrator: Administrator) -> None:
    class LostPin:
        def __init__(self) -> None:
            self.pins = [PIN.encode()]

        def read(self) -> bytes:
            return self.pins.pop()

    signer = signer_for(hsm, administrator.make_key(), pin=LostPin())
    administrator.drop_sessions()
    with pytest.raises(SigningError, match="LostPin raised IndexError when it read the key"):
        signer.sign(b"message")


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"pin": StringKeySource("wrong-pin")}, KeyUnavailableError, r"public key: the PIN is wrong\.$"),
        ({"pin": StringKeySource(b"\xff\xfe")}, InvalidKeyError, "The PIN is not UTF-8"),
        *(
            ({"pin": StringKeySource(wrapped)}, ConfigurationError, "^The PIN has whitespace, a newline or a quote")
            for wrapped in (f'"{PIN}"', f"'{PIN}'", f" {PIN}", f"{PIN}\n\n", f"{PIN}\r\n\n")
        ),
        ({"pin": StringKeySource(f"\ufeff{PIN}")}, ConfigurationError, "^The PIN is .*a byte order mark"),
        ({"pin": StringKeySource("\n")}, ConfigurationError, "^The PIN is blank"),
        ({"pin": "a-pin"}, ConfigurationError, "Expected a KeySource, got str"),
        ({"key": "no-such-key"}, KeyUnavailableError, "there is no RSA private key of that label"),
        ({"token": "no-such-token"}, KeyUnavailableError, "there is no such token"),
        ({"kid": ""}, ConfigurationError, "kid is blank"),
        ({"alg": "PS256"}, ConfigurationError, "alg: expected RS256 or RS512"),
    ],
)
def test_what_is_wrong_is_found_out_at_start_up(
    hsm: str, administrator: Administrator, wrong: dict[str, Any], error: type[Exception], message: str
) -> None:
    label = administrator.make_key()
    with pytest.raises(error, match=message) as caught:
        signer_for(hsm, **{"key": label} | wrong)
    trace = "".join(traceback.format_exception(caught.value))
    assert "a-pin" not in trace.replace('"pin": "a-pin"', "")
    assert "0xff" not in trace


def test_a_key_that_is_too_short_is_refused(hsm: str, administrator: Administrator) -> None:
    with pytest.raises(InvalidKeyError, match="1024 bits; at least 2048"):
        signer_for(hsm, administrator.make_key(1024))


def test_a_module_that_cannot_be_loaded_says_why(tmp_path: Path) -> None:
    elf = bytearray(Path(sys.executable).read_bytes()[:64])
    (tmp_path / "elf.so").write_bytes(elf)
    elf[18] ^= 0xFF  # another machine
    (tmp_path / "other.so").write_bytes(elf)
    (tmp_path / "text.so").write_text("#!/bin/sh")
    for module, why in {
        f"{tmp_path}/none.so": "there is no such file",
        f"{tmp_path}/text.so": "it is not a shared library of this system",
        f"{tmp_path}/other.so": "it is made for another processor",
        f"{tmp_path}/elf.so": "a library that it needs is missing",
        f'"{tmp_path}/none.so"': "has whitespace, a newline or a quote around it",
        f"\ufeff{tmp_path}/none.so": "is in UTF-16 or begins with a byte order mark",
        "": "is blank",
    }.items():
        with pytest.raises(ConfigurationError, match=f"^The .*PKCS#11 module.* {why}") as caught:
            signer_for(module, "key")
        assert isinstance(caught.value, ConfigurationError)


def test_a_thread_does_not_wait_for_ever(
    hsm: str, administrator: Administrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer = signer_for(hsm, administrator.make_key())
    monkeypatch.setattr(backend, "LONGEST_WAIT", 0.01)
    with backend._one_at_a_time(), pytest.raises(SigningError, match=r"have kept it busy for 0\.01 seconds"):
        signer.sign(b"message")
    assert len(signer.sign(b"message")) == 256


def test_the_pin_shows_nowhere(hsm: str, administrator: Administrator) -> None:
    signer = signer_for(hsm, administrator.make_key())
    assert repr(signer) == "PKCS11Signer(kid='key-1', alg='RS256')"
    assert PIN not in repr(vars(signer._clients()))
    with pytest.raises(TypeError, match="refuses to be pickled"):
        pickle.dumps(signer)


def test_a_missing_extra_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pkcs11", None)
    with pytest.raises(ConfigurationError) as caught:
        signer_for("any", "key")
    assert (
        str(caught.value) == "The client for pkcs11 is not installed; install fin-messenger-auth with the extra pkcs11."
    )


def test_a_token_that_was_away_is_used_again(hsm: str, administrator: Administrator) -> None:
    signers = [signer_for(hsm, administrator.make_key(), kid=kid) for kid in ("old", "new")]
    tokens = Path(os.environ["SOFTHSM2_CONF"]).with_name("tokens")
    tokens.rename(tokens.with_name("away"))
    administrator.drop_sessions()
    for signer in signers:
        with pytest.raises(SigningError, match=r"^The HSM did not sign: "):
            signer.sign(b"message")
    tokens.with_name("away").rename(tokens)
    for signer in signers:
        check_signer(signer, signer.public_key)


def test_a_child_initializes_the_module_once_and_logs_in_for_itself(
    hsm: str, administrator: Administrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    signers = [signer_for(hsm, administrator.make_key(), kid=kid) for kid in ("old", "new")]
    before = {signer._clients().epoch for signer in signers}
    monkeypatch.setattr(os, "getpid", lambda: -1)
    for signer in signers:
        check_signer(signer, signer.public_key)
    after = {signer._clients().epoch for signer in signers}
    assert (len(before), len(after)) == (1, 1), "once, for both"
    assert after.isdisjoint(before)


def test_a_fork_waits_until_the_module_is_idle_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    lock = backend._one_at_a_time()
    backend._before_fork()
    assert lock.locked()
    backend._after_fork_in_parent()
    assert not lock.locked()

    monkeypatch.setattr(backend, "FORK_WAITS", 0.01)
    with lock:
        backend._before_fork()
        backend._after_fork_in_parent()
        assert lock.locked()
