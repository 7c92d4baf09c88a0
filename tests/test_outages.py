"""When a signer fails: what the page gets, what the error says, and what the log holds."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import pickle
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from fin_messenger_auth import IntercomMinter, SalesforceMinter, TokenPairBuilder, _outages, with_deadline
from fin_messenger_auth.errors import ConfigurationError, SigningError
from fin_messenger_auth.testing import throwaway_builder

LOCAL = throwaway_builder()
CREDENTIAL = "AKIA-hunter2"


class Signer:
    """The local signer of a token, failing on demand."""

    def __init__(self, inner: Any, error: Exception | None = None) -> None:
        self.inner, self.error, self.alg, self.kid = inner, error, inner.alg, inner.kid

    def sign(self, signing_input: bytes, /) -> bytes:
        if self.error is not None:
            raise self.error
        return bytes(self.inner.sign(signing_input))


class AsyncSigner(Signer):
    sign = None  # type: ignore[assignment]

    async def asign(self, signing_input: bytes, /) -> bytes:
        await asyncio.sleep(0)
        return Signer.sign(self, signing_input)


Build = Callable[[TokenPairBuilder], dict[str, Any]]


def at_once(builder: TokenPairBuilder) -> dict[str, Any]:
    return builder.build_settings("42")


def awaited(builder: TokenPairBuilder) -> dict[str, Any]:
    return asyncio.run(builder.abuild_settings("42"))


KINDS: dict[str, tuple[type[Signer], Build]] = {
    "sync": (Signer, at_once),
    "sync in async code": (Signer, awaited),
    "async": (AsyncSigner, awaited),
}


def failing(kind: type[Signer], *tokens: str, policy: Any, error: Exception | None = None) -> TokenPairBuilder:
    def signer(token: str, inner: Any) -> Any:
        return kind(inner, (error or ConnectionError(CREDENTIAL)) if token in tokens else None)

    assert LOCAL.salesforce
    return replace(
        LOCAL,
        intercom=IntercomMinter(signer("intercom", LOCAL.intercom.signer)),
        salesforce=replace(LOCAL.salesforce, signer=signer("salesforce", LOCAL.salesforce.signer)),
        on_signing_error=policy,
    )


PAGES = [
    ("intercom", "intercom-only", set()),
    ("salesforce", "intercom-only", {"user_id", "intercom_user_jwt"}),
    ("intercom salesforce", "intercom-only", set()),
    ("intercom", "anonymous", set()),
    ("salesforce", "anonymous", set()),
    ("", "anonymous", {"user_id", "intercom_user_jwt", "salesforce_identity_token"}),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("called", [False, True], ids=["value", "function"])
@pytest.mark.parametrize(("tokens", "outcome", "signed"), PAGES, ids=[f"{each[0]}, {each[1]}" for each in PAGES])
def test_what_the_page_keeps(kind: str, called: bool, tokens: str, outcome: str, signed: set[str]) -> None:
    signer, build = KINDS[kind]
    policy = (lambda _error: outcome) if called else outcome

    settings = build(failing(signer, *tokens.split(), policy=policy))

    assert set(settings) == {"api_base", "app_id"} | signed


@pytest.mark.parametrize("kind", KINDS)
def test_the_error_says_which_token_key_and_signer(kind: str) -> None:
    signer, build = KINDS[kind]
    builder = failing(signer, "salesforce", policy="raise")

    with pytest.raises(SigningError, match=rf"^{signer.__name__} raised ConnectionError\.$") as caught:
        build(builder)

    assert builder.salesforce
    assert (caught.value.token, caught.value.kid) == ("salesforce_identity_token", "throwaway")
    assert caught.value.signer is builder.salesforce.signer
    assert CREDENTIAL not in "".join(traceback.format_exception(caught.value))


def test_the_signer_of_the_error_is_the_real_one() -> None:
    assert LOCAL.salesforce
    real = Signer(LOCAL.salesforce.signer, OSError())
    builder = replace(LOCAL, salesforce=replace(LOCAL.salesforce, signer=with_deadline(real)))

    with pytest.raises(SigningError, match=r"^Signer raised OSError\.$") as caught:
        awaited(builder)

    assert caught.value.signer is real


def test_an_error_of_the_signer_s_own_is_passed_on_with_the_same() -> None:
    own = SigningError("the HSM is gone")
    with pytest.raises(SigningError) as caught:
        at_once(failing(Signer, "intercom", policy="raise", error=own))

    assert caught.value is own
    assert (own.token, own.kid) == ("intercom_user_jwt", None)
    restored = pickle.loads(pickle.dumps(own))
    assert (str(restored), restored.token, restored.signer) == ("the HSM is gone", "intercom_user_jwt", None)


def test_a_function_sees_each_error_once_and_chooses() -> None:
    seen: list[SigningError] = []

    def policy(error: SigningError) -> Any:
        seen.append(error)
        return "intercom-only" if error.token == "salesforce_identity_token" else "raise"

    assert "intercom_user_jwt" in at_once(failing(Signer, "salesforce", policy=policy))
    with pytest.raises(SigningError):
        at_once(failing(Signer, "intercom", policy=policy))
    assert [error.token for error in seen] == ["salesforce_identity_token", "intercom_user_jwt"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_function_that_answers_something_else_is_an_error(kind: str) -> None:
    signer, build = KINDS[kind]
    with pytest.raises(ConfigurationError, match=r'^on_signing_error returned NoneType; expected "raise", ') as caught:
        build(failing(signer, "salesforce", policy=lambda _error: None))
    assert isinstance(caught.value.__cause__, SigningError)


def test_what_the_function_raises_passes() -> None:
    with pytest.raises(ZeroDivisionError):
        at_once(failing(Signer, "salesforce", policy=lambda _error: 1 // 0))


async def coroutine(_error: SigningError) -> str:
    return "raise"


@pytest.mark.parametrize("policy", ["ignore", None, 7, coroutine], ids=["ignore", "None", "7", "coroutine"])
def test_a_policy_is_checked_at_start_up(policy: Any) -> None:
    with pytest.raises(
        ConfigurationError, match=r'^on_signing_error: expected "raise", "anonymous" or "intercom-only"'
    ):
        replace(LOCAL, on_signing_error=policy)


def records(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [each for each in caplog.records if each.name == "fin_messenger_auth"]


def test_the_record_names_token_kid_and_cause_and_no_foreign_message(caplog: pytest.LogCaptureFixture) -> None:
    error = ConnectionError(CREDENTIAL)
    error.__cause__ = TimeoutError(CREDENTIAL)

    at_once(failing(Signer, "salesforce", policy="intercom-only", error=error))

    [record] = records(caplog)
    assert record.getMessage() == (
        "Signing salesforce_identity_token with kid 'throwaway' failed (intercom-only): Signer raised ConnectionError. "
        "Pages since the last record: 1."
    )
    assert record.exc_info
    assert record.exc_info[0] is SigningError
    assert "in sign\n" in caplog.text  # the lines of the signer
    assert CREDENTIAL not in caplog.text


def test_an_error_of_ours_is_logged_without_its_cause(caplog: pytest.LogCaptureFixture) -> None:
    error = SigningError("the HSM is gone")
    error.__cause__ = ConnectionError(CREDENTIAL)

    at_once(failing(Signer, "salesforce", policy="intercom-only", error=error))

    assert "the HSM is gone" in caplog.text
    assert CREDENTIAL not in caplog.text


# The log of an outage: all of it is in few records


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(_outages.time, "monotonic", lambda: now[0])  # type: ignore[attr-defined]
    return now


def test_a_flood_is_one_record_in_ten_seconds_with_the_number_of_pages(
    caplog: pytest.LogCaptureFixture, clock: list[float]
) -> None:
    builder, other = (failing(Signer, "salesforce", policy="anonymous") for _ in range(2))

    threads = [threading.Thread(target=lambda: [at_once(builder) for _ in range(50)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    at_once(replace(builder, on_signing_error="intercom-only"))  # a copy shares what is known of the signer
    at_once(other)  # another signer has records of its own
    clock[0] += _outages.INTERVAL
    at_once(builder)

    counts = [int(record.getMessage().rpartition(": ")[2].rstrip(".")) for record in records(caplog)]
    assert counts == [1, 1, 401]


def test_a_last_record_follows_without_another_failure(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_outages, "INTERVAL", 0.2)
    builder = failing(Signer, "salesforce", policy="anonymous")
    for _ in range(5):
        at_once(builder)

    deadline = time.monotonic() + 10
    while len(records(caplog)) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [record.getMessage()[-2:] for record in records(caplog)] == ["1.", "4."]


def test_the_end_of_an_outage_is_a_record_with_its_duration_and_pages(
    caplog: pytest.LogCaptureFixture, clock: list[float]
) -> None:
    builder = failing(Signer, "salesforce", policy="intercom-only")
    assert builder.salesforce
    signer: Any = builder.salesforce.signer
    broken = signer.error
    for _ in range(3):
        at_once(builder)
    assert builder.trouble() == records(caplog)[0].getMessage().partition(" Pages")[0]
    signer.error = None
    at_once(builder)  # at once after a failure: it may fail again
    clock[0] += 5
    for _ in range(2):
        at_once(builder)
    signer.error = broken

    assert [record.getMessage() for record in records(caplog)][1:] == [
        "Signing works again after 5 seconds, in which it failed for 3 pages."
    ]
    assert builder.trouble() is None
    at_once(builder)
    assert builder.trouble()
    clock[0] += 61  # without a page
    assert builder.trouble() is None


def test_a_second_outage_soon_after_the_first_has_an_error_too(
    caplog: pytest.LogCaptureFixture, clock: list[float]
) -> None:
    builder = failing(Signer, "salesforce", policy="intercom-only")
    assert builder.salesforce
    signer: Any = builder.salesforce.signer
    broken = signer.error
    for error in (broken, None, broken, broken, None):
        signer.error = error
        at_once(builder)
        clock[0] += 2

    levels = [record.levelname for record in records(caplog)]
    assert levels == ["ERROR", "WARNING", "ERROR", "WARNING"]
    assert records(caplog)[2].getMessage().endswith("Pages since the last record: 2.")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_in_the_middle_of_a_flood_leaves_the_child_its_log() -> None:
    outage = _outages.Outage()
    with outage._lock():  # as another thread would
        child = os.fork()
        if child == 0:
            outage.failed(SigningError("x"), "anonymous")
            os._exit(7)
        deadline = time.monotonic() + 5
        while (status := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < deadline:
            time.sleep(0.01)
    assert os.waitstatus_to_exitcode(status[1]) == 7


def test_a_system_without_threads_leaves_the_rest_to_the_next_failure(
    monkeypatch: pytest.MonkeyPatch, clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_self: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    builder = failing(Signer, "salesforce", policy="anonymous")
    for _ in range(3):
        at_once(builder)
    clock[0] += 10
    at_once(builder)

    assert [record.getMessage()[-2:] for record in records(caplog)] == ["1.", "3."]


# Metrics


class Counting:
    def __init__(self) -> None:
        self.pages: list[str] = []
        self.signatures: list[tuple[str, str]] = []

    def page(self, outcome: str, /) -> None:
        self.pages.append(outcome)

    def signature(self, token: str, result: str, seconds: float, /) -> None:
        assert 0 <= seconds < 60
        self.signatures.append((token, result))


OUTCOMES = [
    ("", "raise", "signed"),
    ("salesforce", "intercom-only", "intercom-only"),
    ("salesforce", "anonymous", "anonymous"),
    ("intercom", "intercom-only", "anonymous"),
    ("salesforce", "raise", "raise"),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("tokens", "policy", "outcome"), OUTCOMES)
def test_metrics_count_pages_and_signatures(kind: str, tokens: str, policy: str, outcome: str) -> None:
    signer, build = KINDS[kind]
    counted = Counting()
    builder = replace(failing(signer, *tokens.split(), policy=policy), metrics=counted)

    with contextlib.suppress(SigningError):
        build(builder)
    asyncio.run(builder.abuild_settings(None))

    assert counted.pages == [outcome, "visitor"]
    assert {result for token, result in counted.signatures if token.startswith(tokens or "-")} == (
        {"failed"} if tokens else set()
    )


def test_metrics_that_fail_break_no_page(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        page: Any = None  # not callable

        def signature(self, token: str, result: str, seconds: float, /) -> None:
            raise OSError(f"{CREDENTIAL} {token} {result} {seconds}")

    assert "intercom_user_jwt" in at_once(replace(LOCAL, metrics=Broken()))
    assert "The metrics of a builder failed." in caplog.text
    assert CREDENTIAL not in caplog.text


def test_a_local_pair_that_is_signed_writes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    assert isinstance(LOCAL.salesforce, SalesforceMinter)
    at_once(failing(Signer, policy="anonymous"))
    assert records(caplog) == []
