"""``Reloading``: new keys are taken over as a whole, and a bad delivery changes nothing."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from fin_messenger_auth import (
    FileKeySource,
    HMACSigner,
    IntercomMinter,
    Reloading,
    RSASigner,
    SalesforceMinter,
    TokenPairBuilder,
)
from fin_messenger_auth._jws import parse_token
from fin_messenger_auth.diagnosis import VerifyingKey
from fin_messenger_auth.errors import ConfigurationError, InvalidKeyError
from fin_messenger_auth.testing import throwaway_builder, throwaway_rsa_key, throwaway_secret
from fin_messenger_auth.testing._throwaway import THROWAWAY_AUDIENCE, THROWAWAY_ISSUER, pem_of

KEYS = {
    "key-1": throwaway_rsa_key(),
    **{f"key-{n}": rsa.generate_private_key(public_exponent=65537, key_size=2048) for n in (2, 3)},
}


def deliver(root: Path, kid: str, pem: bytes | None = None) -> None:
    """Put a delivery in place as Kubernetes does: a new directory, and a link that is replaced in one step."""
    directory = root / f"{kid}-{time.monotonic_ns()}"
    directory.mkdir()
    (directory / "messenger.secret").write_text(throwaway_secret())
    (directory / "salesforce.kid").write_text(kid)
    (directory / "salesforce.pem").write_bytes(pem_of(KEYS[kid]) if pem is None else pem)
    (root / "next").symlink_to(directory)
    (root / "next").replace(root / "current")


def make_from(root: Path) -> TokenPairBuilder:
    """Read the files through the link, one by one: `Reloading` sees to it that they belong together."""
    current = root / "current"
    return TokenPairBuilder.from_env(
        {
            "INTERCOM_APP_ID": "abc",
            "INTERCOM_MESSENGER_SECRET_FILE": str(current / "messenger.secret"),
            "SALESFORCE_PRIVATE_KEY_FILE": str(current / "salesforce.pem"),
            "SALESFORCE_KEY_ID_FILE": str(current / "salesforce.kid"),
            "SALESFORCE_ISSUER": THROWAWAY_ISSUER,
            "SALESFORCE_AUDIENCE": THROWAWAY_AUDIENCE,
        }
    )


def kid_of(builder: TokenPairBuilder) -> str:
    assert builder.salesforce
    return str(builder.salesforce.signer.kid)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it did not happen within 30 seconds"
        time.sleep(0.005)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    deliver(tmp_path, "key-1")
    return tmp_path


def test_at_start_up_a_bad_key_is_an_error(root: Path) -> None:
    deliver(root, "key-2", b"-----BEGIN PRIVATE KEY-----\ndamaged")
    with pytest.raises(InvalidKeyError):
        Reloading(lambda: make_from(root))


def test_reload_makes_a_new_builder_and_returns_it(root: Path) -> None:
    reloading = Reloading(lambda: make_from(root))
    before = reloading.builder
    deliver(root, "key-2")

    assert reloading.builder is before
    assert kid_of(reloading.reload()) == "key-2"
    assert kid_of(reloading.builder) == "key-2"


def test_a_reload_that_fails_keeps_the_old_one_logs_and_raises(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    reloading = Reloading(lambda: make_from(root))
    before = reloading.builder
    deliver(root, "key-2", b"-----BEGIN PRIVATE KEY-----\ndamaged")

    with pytest.raises(InvalidKeyError):
        reloading.reload()

    assert reloading.builder is before
    [record] = caplog.records
    assert (record.name, record.levelno) == ("fin_messenger_auth", logging.ERROR)
    assert "The new keys were rejected; the old ones stay in use." in caplog.text
    assert "SALESFORCE_PRIVATE_KEY_FILE" in caplog.text


def test_any_other_error_of_make_is_raised_too_and_shown_without_its_message(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = iter([make_from(root)])
    reloading = Reloading(lambda: next(made) if made else None)  # type: ignore[arg-type,return-value]
    with pytest.raises(StopIteration):
        reloading.reload()
    assert "StopIteration" in caplog.text


def test_a_watched_file_is_noticed_at_the_next_look(root: Path) -> None:
    reloading = Reloading(lambda: make_from(root), watch=[root / "current"], every=0.02)
    deliver(root, "key-2")

    until(lambda: kid_of(reloading.builder) == "key-2")


def test_a_system_without_threads_costs_no_page_and_no_reload(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reloading = Reloading(lambda: make_from(root), watch=[root], every=0)

    def refuse(_self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    deliver(root, "key-2")
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        assert kid_of(reloading.builder) == "key-1"
    until(lambda: kid_of(reloading.builder) == "key-2")


def test_a_bad_delivery_is_tried_again_until_it_is_put_right(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    reloading = Reloading(lambda: make_from(root), watch=[root / "current"], every=0.02)
    deliver(root, "key-2", b"-----BEGIN PRIVATE KEY-----\ndamaged")
    until(lambda: kid_of(reloading.builder) == "key-1" and len(caplog.records) >= 2)

    deliver(root, "key-2")

    until(lambda: kid_of(reloading.builder) == "key-2")


def test_without_a_change_nothing_is_made(root: Path) -> None:
    calls: list[TokenPairBuilder] = []

    def make() -> TokenPairBuilder:
        calls.append(throwaway_builder())
        return calls[-1]

    reloading = Reloading(make, watch=[root / "current" / "salesforce.pem", "/nowhere"], every=0)
    for _ in range(20):
        assert reloading.builder is calls[0]
    assert len(calls) == 1


def test_a_delivery_while_the_keys_are_read_is_read_again(root: Path) -> None:
    torn = iter([True])

    def make() -> TokenPairBuilder:
        signer = FileKeySource(root / "current" / "salesforce.pem")
        if next(torn, False):
            deliver(root, "key-2")  # between the key and its kid
        key = RSASigner(signer, kid=(root / "current" / "salesforce.kid").read_text())
        return TokenPairBuilder(
            app_id="abc",
            intercom=IntercomMinter(HMACSigner(FileKeySource(root / "current" / "messenger.secret"))),
            salesforce=SalesforceMinter(key, issuer=THROWAWAY_ISSUER, audience=THROWAWAY_AUDIENCE),
        )

    reloading = Reloading(make, watch=[root / "current"])

    settings = reloading.builder.build_settings("42")
    assert VerifyingKey(KEYS["key-2"].public_key()).verifies(settings["salesforce_identity_token"])
    assert kid_of(reloading.builder) == "key-2"


def test_an_error_of_a_delivery_that_was_replaced_meanwhile_is_none(root: Path) -> None:
    torn = iter([True])

    def make() -> TokenPairBuilder:
        if next(torn, False):
            deliver(root, "key-2")
            raise FileNotFoundError("the old directory is gone")
        return make_from(root)

    assert kid_of(Reloading(make, watch=[root / "current"]).builder) == "key-2"


def test_deliveries_without_an_end_are_given_up(root: Path) -> None:
    number = iter(range(100))

    def make() -> TokenPairBuilder:
        (root / "watched").write_text("x" * next(number))
        return throwaway_builder()

    Reloading(make, watch=[root / "watched"])
    assert next(number) == 3


def test_a_string_in_place_of_the_list_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"^watch: expected a list of paths, got str\.$"):
        Reloading(throwaway_builder, watch="/run/secrets")


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is no SIGHUP here")
def test_a_signal_reloads_even_during_a_reload(root: Path) -> None:
    """The handler runs in the main thread, which may hold the lock at that moment: it must not wait for it."""
    calls: list[str] = []

    def make() -> TokenPairBuilder:
        builder = make_from(root)
        calls.append(kid_of(builder))
        if len(calls) == 2:
            deliver(root, "key-3")
            os.kill(os.getpid(), signal.SIGHUP)
        return builder

    reloading = Reloading(make)
    before = signal.signal(signal.SIGHUP, lambda *_: reloading.reload_soon())
    try:
        deliver(root, "key-2")
        reloading.reload()
        until(lambda: kid_of(reloading.builder) == "key-3")
    finally:
        signal.signal(signal.SIGHUP, before)
    assert calls == ["key-1", "key-2", "key-3"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_forked_during_a_reload_notices_deliveries_of_its_own(root: Path) -> None:
    hold, holding = threading.Event(), threading.Event()
    parent = os.getpid()

    def make() -> TokenPairBuilder:
        if os.getpid() == parent and holding_wanted:
            holding.set()
            hold.wait(20)
        return make_from(root)

    holding_wanted = False
    reloading = Reloading(make, watch=[root / "current"], every=0.02)
    holding_wanted = True
    reloading.reload_soon()
    assert holding.wait(10)
    child = os.fork()
    if child == 0:
        deliver(root, "key-2")
        try:
            until(lambda: kid_of(reloading.builder) == "key-2")
        except BaseException:  # noqa: BLE001 - the exit status says it
            os._exit(1)
        os._exit(7)
    try:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    finally:
        hold.set()


CACHED = 0.15  # seconds
LIFETIME = 0.25  # for which a token is presented
LATE = 0.2  # a token that a busy machine presents later than this has expired, and does not count


class Salesforce:
    """A verifier that reads the keyset only now and then, as one with a cache does."""

    def __init__(self) -> None:
        self.keyset: set[str] = {"key-1"}
        self._known: set[str] = set(self.keyset)
        self._read_at = time.monotonic()

    def accepts(self, token: str) -> bool:
        now = time.monotonic()
        if now - self._read_at > CACHED:
            self._known, self._read_at = set(self.keyset), now
        kid = str(parse_token(token).header["kid"])
        return kid in self._known and VerifyingKey(KEYS[kid].public_key()).verifies(token)


@contextmanager
def traffic(reloading: Reloading, salesforce: Salesforce, late: float) -> Iterator[list[tuple[str, bool]]]:
    """Four visitors, each with a new page every few milliseconds; each token is presented at once and at its end."""
    answers: list[tuple[str, bool]] = []
    stop = threading.Event()

    def present(made: float, token: str) -> None:
        if time.monotonic() < made + LIFETIME + late:
            answers.append((str(parse_token(token).header["kid"]), salesforce.accepts(token)))

    def visit() -> None:
        pages: deque[tuple[float, str]] = deque()
        while not stop.is_set():
            pages.append((time.monotonic(), reloading.builder.build_settings("42")["salesforce_identity_token"]))
            present(*pages[-1])
            while pages and pages[0][0] < time.monotonic() - LIFETIME:
                present(*pages.popleft())
            time.sleep(0.005)

    visitors = [threading.Thread(target=visit) for _ in range(4)]
    for visitor in visitors:
        visitor.start()
    try:
        yield answers
    finally:
        stop.set()
        for visitor in visitors:
            visitor.join()


@pytest.mark.parametrize("patient", [True, False], ids=["in order", "dropped too early"])
def test_the_drill_two_rotations_and_a_bad_delivery_under_constant_traffic(root: Path, patient: bool) -> None:
    salesforce = Salesforce()
    reloading = Reloading(lambda: make_from(root), watch=[root / "current"], every=0.02)
    with traffic(reloading, salesforce, LATE if patient else inf) as answers:
        for old, new in (("key-1", "key-2"), ("key-2", "key-3")):
            salesforce.keyset |= {new}  # add
            time.sleep(CACHED + 0.1)
            deliver(root, new, b"-----BEGIN PRIVATE KEY-----\ndamaged")
            time.sleep(0.05)
            deliver(root, new)  # switch
            if patient:
                until(lambda new=new: sum(kid == new for kid, _ in answers) >= 20)  # type: ignore[misc]
                time.sleep(LIFETIME + LATE + 0.5)  # wait
            salesforce.keyset -= {old}  # drop
            time.sleep(max(CACHED, LIFETIME) + 0.1)
            until(lambda new=new: sum(kid == new for kid, _ in answers) >= 20)  # type: ignore[misc]
    failures = [kid for kid, accepted in answers if not accepted]
    assert {kid for kid, _ in answers} == set(KEYS)
    assert (failures == []) is patient, f"{len(failures)} of {len(answers)} tokens were rejected"
