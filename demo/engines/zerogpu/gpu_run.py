"""GpuRun: the ticket of one run, and the thread that iterates its decorated call.

The platform wants a generator to be iterated and ended by one thread, in the context of the visitor's request.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextvars import copy_context
from dataclasses import dataclass, replace
from functools import partial
from mmap import mmap
from typing import TypeAlias

from demo.engine import Log, Ticket
from demo.engines.local.pace import Pace
from demo.engines.zerogpu.refusals import explain
from demo.errors import DemoError, EngineFailed
from demo.events import Done, Event, Failed, Started, Token
from demo.request import Request

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class GpuRequest:
    """What one call is asked for, pickled into the worker process: an admitted request, its prompt's ids and its seed.

    `seconds` of GPU time are asked for; `slot` is the run's place in `Platform.flags`.
    """

    request: Request
    prompt: tuple[int, ...]
    seed: int
    seconds: int
    slot: int


Call: TypeAlias = Callable[[GpuRequest], Iterator[Sequence[Event]]]


@dataclass(frozen=True, slots=True)
class Platform:
    """What answers: the decorated `call`, and `enter`, which prepares the context of the thread that iterates it.

    `flags` is anonymous memory, made before the first fork: one byte for each run at once, which is set to stop it. A
    worker is a fork: it has copies of this process's objects, and only shared memory shows it what changes later.
    Closing the platform's generator would end it one yield later, and if the worker had been given to the next run by
    then, would end that run.
    """

    call: Call
    flags: mmap
    enter: Callable[["GpuRun"], None] = lambda run: None


class GpuRun(Ticket):
    """Writes exactly one final event: at once where it is cancelled, while the worker stops within one token.

    It has the context in which it is made. When all is over, `on_end` gets the events as the worker stamped them.
    """

    def __init__(
        self, platform: Platform, asked: GpuRequest, log: Log, on_end: "Callable[[GpuRun, Sequence[Event]], None]"
    ) -> None:
        self.asked = asked
        self.started = False
        self._platform = platform
        self._log = log
        self._context = copy_context()
        self._on_end = on_end
        self._pace = Pace(asked.request.pace)
        self._generated = 0
        self._ended = threading.Event()
        self._writing = threading.Lock()
        self._received: list[Event] = []
        self._thread = threading.Thread(target=self._run, name="gpu-run", daemon=True)

    def start(self) -> None:
        """Ask for a GPU. Raises RuntimeError where the system has no thread left."""
        self._thread.start()

    @property
    def ended(self) -> bool:
        return self._ended.is_set()

    def cancel(self) -> None:
        self._write(lambda: [Done(time.perf_counter(), "cancelled", self._generated)])
        self._stop()

    def fail(self, error: DemoError) -> None:
        self._write(lambda: [Failed(time.perf_counter(), error)])
        self._stop()

    def join(self, timeout: float) -> None:
        """Wait for the worker's end, at most so long."""
        self._thread.join(timeout)

    def _run(self) -> None:
        try:
            self._context.run(self._iterate)
        except Exception as error:
            if not self.ended:  # else the platform only says that nobody waits any more
                logger.info("The GPU's platform ended a run.", exc_info=error)
            self.fail(explain(error, self.started))
        finally:
            self.fail(EngineFailed("The GPU's answer has no end: try again."))
            self._on_end(self, self._received)

    def _iterate(self) -> None:
        self._platform.enter(self)
        batches = self._platform.call(self.asked)
        try:
            for batch in batches:
                self._receive(batch)
        finally:
            # Where writing failed, the call still has to be iterated to its end, by this thread.
            self._stop()
            for _ in batches:
                pass

    def _stop(self) -> None:
        """End the worker's loop."""
        self._platform.flags[self.asked.slot] = 1

    def _receive(self, batch: Sequence[Event]) -> None:
        self._received.extend(batch)
        if self.asked.request.pace is None:
            self._write(lambda: batch)
            return
        for group in split_at_tokens(batch):
            self._ended.wait(max(self._pace.due - time.perf_counter(), 0.0))
            # A token that was held back is stamped when it is written.
            now = max(self._pace.due, group[0].time)
            held = [replace(event, time=max(event.time, now)) for event in group]
            self._write(partial(list[Event], held))
            if isinstance(group[0], Token):
                self._pace.note(now)

    def _write(self, make: Callable[[], Sequence[Event]]) -> None:
        with self._writing:
            if self._ended.is_set():
                return
            events = make()
            self.started = self.started or isinstance(events[0], Started)
            self._generated += sum(isinstance(event, Token) for event in events)
            if isinstance(events[-1], Done | Failed):
                self._ended.set()
            self._log(*events)


def split_at_tokens(batch: Sequence[Event]) -> Iterator[Sequence[Event]]:
    """Groups that begin with a token; what follows a token stays with it."""
    group: list[Event] = []
    for event in batch:
        if isinstance(event, Token) and group:
            yield group
            group = []
        group.append(event)
    if group:
        yield group
