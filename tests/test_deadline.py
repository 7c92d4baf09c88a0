"""``with_deadline``: the deadline, the queue, the pause, forks, and threads that hang."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import re
import subprocess
import sys
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from textwrap import dedent
from typing import Any

import pytest

from fin_messenger_auth import DualSigner, _deadline, with_deadline
from fin_messenger_auth._processes import PerProcess
from fin_messenger_auth.errors import SigningError

GRACE = 1.0  # seconds that a page may exceed the time-out here; bench/outage.py measures it, on a machine of its own


class Service:
    """A signer whose service answers, hangs, or refuses, as it is told to.

    Attributes:
        calls: How many calls it was given.
        most: How many of them ran at the same time.
    """

    alg, kid = "RS256", "k"

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.released = threading.Event()
        self.released.set()
        self.error: BaseException | None = None
        self.calls = self.now = self.most = 0
        self._lock = threading.Lock()

    def sign(self, signing_input: bytes, /) -> bytes:
        with self._lock:
            self.calls += 1
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            time.sleep(self.seconds)
            self.released.wait(60)
            if self.error is not None:
                raise self.error
            return signing_input[::-1]
        finally:
            with self._lock:
                self.now -= 1

    @contextmanager
    def hanging(self) -> Iterator[None]:
        self.released.clear()
        try:
            yield
        finally:
            self.released.set()


async def page(signer: DualSigner) -> tuple[float, str]:
    """Sign once; return the seconds that it took, and what came of it."""
    start = time.monotonic()
    try:
        assert await signer.asign(b"abc") == b"cba"
    except SigningError as error:
        return time.monotonic() - start, str(error)
    return time.monotonic() - start, "signed"


async def pages(signer: DualSigner, number: int) -> list[tuple[float, str]]:
    return await asyncio.gather(*(page(signer) for _ in range(number)))


def sync_page(signer: DualSigner) -> tuple[float, str]:
    start = time.monotonic()
    try:
        signer.sign(b"abc")
    except SigningError as error:
        return time.monotonic() - start, str(error)
    return time.monotonic() - start, "signed"


def sync_pages(signer: DualSigner, number: int) -> list[tuple[float, str]]:
    results: list[tuple[float, str]] = []
    visitors = [threading.Thread(target=lambda: results.append(sync_page(signer))) for _ in range(number)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    return results


BOTH = pytest.mark.parametrize(
    "visit", [lambda signer, number: asyncio.run(pages(signer, number)), sync_pages], ids=["async", "sync"]
)
Visit = Callable[[DualSigner, int], list[tuple[float, str]]]


@BOTH
def test_the_deadline_is_for_the_whole_wait(visit: Visit) -> None:
    service = Service()
    signer = with_deadline(service, threads=2, timeout=1.0)
    with service.hanging():
        results = visit(signer, 4)  # so few that none is refused, though a busy machine starts the last ones late
    assert {said for _, said in results} == {"There was no signature within 1 seconds."}
    assert max(seconds for seconds, _ in results) < 1.0 + GRACE


@BOTH
def test_a_burst_is_served_by_all_threads(visit: Visit) -> None:
    service = Service(0.02)
    results = visit(with_deadline(service, threads=8), 80)
    assert Counter(said for _, said in results) == {"signed": 80}
    assert service.most == 8


@BOTH
def test_a_call_that_cannot_be_served_in_time_fails_at_once(visit: Visit) -> None:
    service = Service(0.2)
    signer = with_deadline(service, threads=2, timeout=1.0)
    assert signer.sign(b"abc") == b"cba"  # from here on it is known to take 0.2 seconds
    results = visit(signer, 60)
    signed = [seconds for seconds, said in results if said == "signed"]
    too_slow = re.compile(r"is too slow: 2 threads cannot make ([3-9]|[1-9]\d) signatures within 1 seconds")
    refused = [seconds for seconds, said in results if too_slow.search(said)]
    assert 4 <= len(signed) <= 10
    assert len(refused) >= 50
    assert max(refused) < 0.8, "before the time-out"
    assert service.calls <= 11


def test_after_failures_in_a_row_calls_fail_at_once_and_one_probe_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_deadline, "FIRST_PAUSE", 0.5)  # for busy machines
    monkeypatch.setattr(_deadline, "LONGEST_PAUSE", 1.0)
    service = Service()
    service.error = SigningError("The service says no.")
    signer = with_deadline(service, threads=4, timeout=1.0)

    async def main() -> None:
        for _ in range(_deadline.FAILURES):
            assert (await page(signer))[1] == "The service says no."
        results = await pages(signer, 50)
        assert max(seconds for seconds, _ in results) < 0.4
        assert {said.partition(" It is called")[0] for _, said in results} == {
            "Service failed 5 times in a row, the last time with: The service says no."
        }
        assert service.calls == _deadline.FAILURES
        await asyncio.sleep(_deadline.FIRST_PAUSE + 0.05)
        results = await pages(signer, 50)
        assert service.calls == _deadline.FAILURES + 1, "one probe"
        assert Counter(said == "The service says no." for _, said in results) == {True: 1, False: 49}

        await asyncio.sleep(_deadline.FIRST_PAUSE + 0.05)
        assert "It is called again in 0" in (await page(signer))[1], "the pause has grown"
        await asyncio.sleep(_deadline.FIRST_PAUSE)
        service.error = None
        assert (await page(signer))[1] == "signed"
        assert Counter(said for _, said in await pages(signer, 50)) == {"signed": 50}

    asyncio.run(main())


def test_a_success_in_between_counts_from_the_start() -> None:
    service = Service()
    signer = with_deadline(service)
    for _ in range(3 * _deadline.FAILURES):
        service.error = None if service.error else ValueError("no")
        with pytest.raises(ValueError, match="no") if service.error else contextmanager(lambda: iter([None]))():
            signer.sign(b"abc")
    assert service.calls == 3 * _deadline.FAILURES


@BOTH
def test_a_service_that_hangs_costs_one_page_its_time_out_and_is_used_again_within_seconds(visit: Visit) -> None:
    service = Service()
    signer = with_deadline(service, threads=2, timeout=0.3)
    with service.hanging():
        for _ in range(5):
            visit(signer, 4)
        for _ in range(10):
            results = visit(signer, 20)
            assert sum(said.startswith("There was no signature") for _, said in results) <= 1, "only the probe waits"
            time.sleep(0.05)
        service.released = threading.Event()  # the calls that hang go on hanging
        service.released.set()
        start = time.monotonic()
        while visit(signer, 1)[0][1] != "signed":
            assert time.monotonic() - start < 4
            time.sleep(0.02)
        assert Counter(said for _, said in visit(signer, 20)) == {"signed": 20}


def test_calls_that_hang_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_deadline, "PROBES", 3)
    service = Service()
    signer = with_deadline(service, threads=2, timeout=0.05)
    before = threading.active_count()
    with service.hanging():
        end = time.monotonic() + 10
        while sync_page(signer)[1] != "Service does not answer: 5 calls hang.":
            assert time.monotonic() < end
            time.sleep(0.02)
        assert service.most == 5
        assert threading.active_count() - before <= 5
    wait_until(lambda: sync_page(signer)[1] == "signed")


def test_an_error_that_comes_after_the_time_out_is_not_counted_twice() -> None:
    service = Service()
    signer = with_deadline(service, threads=1, timeout=0.1)
    with service.hanging():
        for _ in range(_deadline.FAILURES - 1):
            assert sync_page(signer)[1] == "There was no signature within 0.1 seconds."
        service.error = ValueError("no")
    wait_until(lambda: service.now == 0)
    service.error = None
    assert sync_page(signer)[1] == "signed"


def test_there_are_never_more_calls_than_connections_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_deadline, "PROBES", 4)
    service = Service()
    signer = with_deadline(service, threads=6, timeout=0.8)
    with service.hanging():
        sync_pages(signer, 6)
        hung, service.released = service.released, threading.Event()
        service.released.set()  # new calls are answered, and those that hang go on hanging
        service.seconds = 0.02
        wait_until(lambda: sync_page(signer)[1] == "signed")
        wait_until(lambda: bool(sync_pages(signer, 12)) and service.most >= 10)  # a busy machine starts few at a time
        assert (service.now, service.most) == (6, 10)
        hung.set()
    wait_until(lambda: service.now == 0)
    service.most = 0
    assert Counter(said for _, said in sync_pages(signer, 12)) == {"signed": 12}
    wait_until(lambda: bool(sync_pages(signer, 12)) and service.most >= 6)
    assert service.most == 6


def test_a_cancelled_task_leaves_the_queue() -> None:
    service = Service()
    signer = with_deadline(service, threads=1, timeout=5.0)

    async def main() -> None:
        with service.hanging():
            tasks = [asyncio.create_task(page(signer)) for _ in range(10)]
            await asyncio.sleep(0.05)
            for task in tasks:
                task.cancel()
            assert all(
                isinstance(each, asyncio.CancelledError)
                for each in await asyncio.gather(*tasks, return_exceptions=True)
            )
        assert (await page(signer))[1] == "signed"
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
    assert service.calls == 2, "the one that was running, and the last"


def test_a_cancelled_probe_makes_way_for_the_next() -> None:
    service = Service()
    signer = with_deadline(service, threads=1, timeout=5.0)
    service.error = ValueError("no")

    async def main() -> None:
        for _ in range(_deadline.FAILURES):
            with pytest.raises(ValueError, match="no"):
                await signer.asign(b"abc")
        service.error = None
        await asyncio.sleep(_deadline.FIRST_PAUSE + 0.05)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await signer.asign(b"abc")
        await asyncio.sleep(0.05)
        assert (await page(signer))[1] == "signed"

    asyncio.run(main())


def test_one_signer_works_on_several_event_loops_at_once() -> None:
    service = Service(0.01)
    signer = with_deadline(service, threads=4, timeout=60.0)
    results: list[list[tuple[float, str]]] = []
    loops = [threading.Thread(target=lambda: results.append(asyncio.run(pages(signer, 20)))) for _ in range(4)]
    for loop in loops:
        loop.start()
    for loop in loops:
        loop.join()
    assert Counter(said for result in results for _, said in result) == {"signed": 80}


def test_a_loop_that_has_closed_harms_nobody() -> None:
    service = Service()
    signer = with_deadline(service, threads=1, timeout=5.0)

    async def leave_at_once() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await signer.asign(b"abc")

    with service.hanging():
        asyncio.run(leave_at_once())
    assert signer.sign(b"abc") == b"cba"


@BOTH
def test_a_signer_that_exits_ends_neither_the_thread_nor_the_server(visit: Visit) -> None:
    service = Service()
    signer = with_deadline(service, threads=1)
    service.error = SystemExit(3)
    assert [said for _, said in visit(signer, 1)] == ["Service raised SystemExit."]
    service.error = None
    assert [said for _, said in visit(signer, 1)] == ["signed"]


def test_what_the_signer_raises_is_raised_as_it_is() -> None:
    service = Service()
    service.error = ConnectionError("secret-looking text")
    with pytest.raises(ConnectionError) as caught:
        with_deadline(service).sign(b"abc")
    assert caught.value is service.error


def test_the_text_of_a_foreign_error_is_in_no_refusal() -> None:
    service = Service()
    service.error = ConnectionError("secret-looking text")
    signer = with_deadline(service)
    for _ in range(_deadline.FAILURES):
        with pytest.raises(ConnectionError):
            signer.sign(b"abc")
    with pytest.raises(SigningError, match=r"the last time with: ConnectionError\. It is called again in"):
        signer.sign(b"abc")


def test_a_synchronous_page_has_its_own_context_in_the_thread() -> None:
    trace = contextvars.ContextVar("trace", default="none")

    class Traced:
        alg, kid = "RS256", None

        def sign(self, _signing_input: bytes, /) -> bytes:
            return trace.get().encode()

    trace.set("request-7")
    assert with_deadline(Traced()).sign(b"abc") == b"request-7"


def test_threads_that_have_nothing_to_do_end_and_hold_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_deadline, "IDLE", 0.05)
    before = threading.active_count()
    service = Service()
    gone = weakref.ref(service)
    signer = with_deadline(service)
    sync_pages(signer, 4)
    assert signer.sign(b"abc") == b"cba"
    wait_until(lambda: threading.active_count() <= before)
    assert signer.sign(b"abc") == b"cba"
    del signer, service
    wait_until(lambda: gc.collect() >= 0 and gone() is None)


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def run(program: str, time_out: float = 20) -> str:
    """Run a program of its own; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", dedent(program)],
        capture_output=True,
        text=True,
        timeout=time_out,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


PRELUDE = """
    import os, sys, threading, time
    from fin_messenger_auth import with_deadline
    from fin_messenger_auth.errors import SigningError

    class Service:
        alg, kid, seconds = "RS256", "k", 0.0
        def sign(self, signing_input):
            time.sleep(self.seconds)
            return signing_input[::-1]

    def in_child(check):
        child = os.fork()
        if not child:
            try:
                start = time.monotonic()
                check()
                assert time.monotonic() - start < 4
            except BaseException as error:
                print(repr(error), file=sys.stderr)
                os._exit(1)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
"""
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


@needs_fork
def test_a_signer_that_was_used_before_a_fork_works_after_it() -> None:
    run(
        PRELUDE
        + """
    import asyncio
    signer = with_deadline(Service())
    assert signer.sign(b"abc") == asyncio.run(signer.asign(b"abc")) == b"cba"
    def check():
        assert signer.sign(b"abc") == asyncio.run(signer.asign(b"abc")) == b"cba"
        in_child(lambda: signer.sign(b"abc"))
    in_child(check)
    assert signer.sign(b"abc") == b"cba"
    """
    )


@needs_fork
def test_a_fork_while_threads_sign_harms_no_child() -> None:
    run(
        PRELUDE
        + """
    service = Service()
    service.seconds = 0.001
    signer = with_deadline(service, threads=4, timeout=60.0)
    def sign_for_ever():
        while True:
            signer.sign(b"abc")
    for _ in range(4):
        threading.Thread(target=sign_for_ever, daemon=True).start()
    time.sleep(0.1)
    for _ in range(40):
        in_child(lambda: [signer.sign(b"abc") for _ in range(5)])
    """
    )


@needs_fork
def test_a_pause_of_the_parent_is_not_one_of_the_child() -> None:
    run(
        PRELUDE
        + """
    service = Service()
    service.seconds = 30
    signer = with_deadline(service, threads=1, timeout=0.4)
    def fails():
        try:
            signer.sign(b"abc")
        except SigningError as error:
            return str(error)
    while "in a row" not in fails():
        pass
    service.seconds = 0
    def check():
        signer.sign(b"abc")
    in_child(check)
    """
    )


def test_a_thread_that_hangs_does_not_keep_the_interpreter_from_exiting() -> None:
    start = time.monotonic()
    run(
        PRELUDE
        + """
    service = Service()
    service.seconds = 60
    try:
        with_deadline(service, timeout=0.1).sign(b"abc")
    except SigningError:
        pass
    """
    )
    assert time.monotonic() - start < 15


def test_importing_the_library_starts_no_thread_and_loads_no_executor() -> None:
    code = "import sys, threading, fin_messenger_auth; print(threading.active_count(), *sys.modules)"
    number, *modules = run(code).split()
    assert number == "1"
    assert {"concurrent.futures", "queue"}.isdisjoint(modules)


def test_it_is_never_pickled() -> None:
    import copy
    import pickle

    signer: Any = with_deadline(Service())
    with pytest.raises(TypeError, match="refuses to be pickled"):
        pickle.dumps(signer)
    assert copy.deepcopy(signer) is signer


def test_a_child_does_not_wait_for_a_thread_that_only_its_parent_has(monkeypatch: pytest.MonkeyPatch) -> None:
    making = threading.Event()

    def hang() -> str:
        making.set()
        time.sleep(30)
        return "the parent's"

    value = PerProcess(lambda: "mine" if os.getpid() == -1 else hang())
    threading.Thread(target=value, daemon=True).start()
    assert making.wait(10)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert value() == "mine"


def test_without_a_new_thread_a_call_waits_for_those_that_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_more(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    service = Service()
    signer = with_deadline(service, threads=2, timeout=0.1)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_more)
        assert sync_page(signer)[1] == "There was no signature within 0.1 seconds."
    assert sync_page(signer)[1] == "signed"


def test_a_value_is_made_once_for_all_threads() -> None:
    made: list[int] = []

    def make() -> int:
        time.sleep(0.1)
        made.append(1)
        return len(made)

    value = PerProcess(make)
    askers = [threading.Thread(target=value) for _ in range(5)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert (value(), made) == (1, [1])


def test_a_value_of_a_process_is_made_again_once_however_many_threads_saw_the_old_one_fail() -> None:
    values = PerProcess(object)
    old = values()

    assert {values.renew(old) for _ in range(3)} == {values()}
    assert values() is not old
