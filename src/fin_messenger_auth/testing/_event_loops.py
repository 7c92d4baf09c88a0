"""Examines ``asign``, in an event loop."""

from __future__ import annotations

import asyncio
import threading
import time
import types
from collections.abc import Coroutine, Generator, Sequence
from statistics import median
from typing import Any

from . import _conformance
from ._examination import PARALLEL_MESSAGES, Examination, Hung, Raised, flat

_IDLE = 0.002  # seconds that a step may wait, in the median, before it counts as blocking
_LONG_IDLE = 0.05  # seconds, where it happens in a few calls only
_MOMENT = 1.0  # seconds after which a cancelled task should have ended
_TURNS = (1, 2, 4, 8)  # of the loop, after which a task is cancelled


def examine_asign_in_a_loop_of_its_own(examination: Examination) -> None:
    """Examine ``asign`` from synchronous code, whether or not an event loop runs in this thread."""
    thread = threading.Thread(target=asyncio.run, args=(examine_asign(examination),), daemon=True)
    thread.start()
    thread.join()


async def examine_asign(examination: Examination) -> None:
    """Examine ``asign``, in this event loop and in a second one."""
    loop, some = _Loop(examination), examination.usual[:2]
    await examination.run("asign", "tasks", loop.ask, loop.crowd)
    loop.check_idle()
    await loop.check_cancellation()
    await loop.check_tasks()
    other = await asyncio.to_thread(asyncio.run, loop.ask(some))
    examination.check(some, other, "in a second event loop: ")
    examination.check(some, await loop.ask(some), "after a second event loop: ")


class _Loop:
    def __init__(self, examination: Examination) -> None:
        self._examination = examination
        self._seconds = examination.seconds["asign"] = []
        self._idle: list[float] = []  # of each call, the longest time that the loop could not go on
        self._tasks: set[asyncio.Task[Any]] = set()  # that were there after the first call
        self._hung = False

    async def ask(self, messages: Sequence[bytes]) -> list[object]:
        return [await self._answer(message) for message in messages]

    async def crowd(self) -> list[object]:
        return flat(await asyncio.gather(*map(self.ask, PARALLEL_MESSAGES)))

    async def _answer(self, message: bytes) -> object:
        if self._hung:
            return Hung(_conformance.PATIENCE)
        task, start = asyncio.ensure_future(self._call(message)), time.perf_counter()
        try:
            await asyncio.wait({task}, timeout=_conformance.PATIENCE)
        finally:
            self._seconds.append(time.perf_counter() - start)
            self._tasks = self._tasks or asyncio.all_tasks()
            self._examination.read_properties()
            if not task.done():
                self._hung = True
                task.cancel()
        return Hung(_conformance.PATIENCE) if self._hung else task.result()

    async def _call(self, message: bytes) -> object:
        """Return the answer, and remember how long the call held up the event loop."""

        async def sign() -> object:
            return await self._examination.signer.asign(message)

        steps: list[float] = []
        try:
            answer = await _measured(sign(), steps)
            if asyncio.iscoroutine(answer):
                answer.close()  # also where nobody looks at the answer
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                raise
            return Raised(type(error), error)
        finally:
            self._idle.append(max(steps, default=0))
        return answer

    def check_idle(self) -> None:
        idle = self._idle[: len(self._examination.usual)]
        long = [seconds for seconds in idle if seconds >= _LONG_IDLE]
        usual = median(idle or [0])
        holds = "it holds up the event loop for"
        if usual >= _IDLE:
            self._examination.note(f"{holds} {usual * 1000:.0f} ms in most calls; await instead")
        elif len(long) > 1:
            self._examination.note(f"{holds} {max(long) * 1000:.0f} ms in {len(long)} of {len(idle)} calls")

    async def check_cancellation(self) -> None:
        for turns in () if self._hung else _TURNS:
            if fault := await self._fault_when_cancelled(turns):
                self._examination.note(fault)
                return

    async def _fault_when_cancelled(self, turns: int) -> str:
        task = asyncio.ensure_future(self._call(self._examination.usual[0]))
        for _ in range(turns):
            await asyncio.sleep(0)
        if task.done():
            return ""
        task.cancel()
        await asyncio.wait({task}, timeout=_MOMENT)
        if not task.done():
            return f"it goes on for more than {_MOMENT:g} s after its task was cancelled"
        if task.cancelled():
            return ""
        answer = task.result()
        if isinstance(answer, Raised):
            return f"it turns the cancellation of its task into {answer.kind.__name__}"
        return "it swallows the cancellation of its task"

    async def check_tasks(self) -> None:
        deadline = time.monotonic() + _MOMENT
        while (left := asyncio.all_tasks() - self._tasks) and time.monotonic() < deadline:  # noqa: ASYNC110 - nothing tells when
            await asyncio.sleep(0.01)
        if left and not self._hung:
            self._examination.note(f"it leaves {len(left)} {'task' if len(left) == 1 else 'tasks'} running")


@types.coroutine
def _measured(coroutine: Coroutine[Any, Any, object], steps: list[float]) -> Generator[Any, Any, object]:
    """Run a coroutine, and add for each of its steps how long it has waited without giving way, in seconds."""
    value: Any = None
    error: BaseException | None = None
    while True:
        wall, busy = time.perf_counter(), time.thread_time()
        try:
            awaited = coroutine.send(value) if error is None else coroutine.throw(error)
        except StopIteration as stop:
            return stop.value
        finally:
            steps.append(time.perf_counter() - wall - (time.thread_time() - busy))
        try:
            value, error = (yield awaited), None
        except BaseException as thrown:  # noqa: BLE001 - it is for the coroutine
            value, error = None, thrown
