"""An engine that is opened again after it has broken, so that a served page stays. Knows no model and no HTTP.

A broken engine is closed and released before the next one is opened: two models are never in memory.
"""

import gc
import logging
import random
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from demo.engine import Broken, Engine, Load, Loading, Log, Piece, Ready, Status, Ticket
from demo.errors import DemoError, EngineFailed, ModelError, NotReady, SettingError, describe_closing
from demo.request import Prompt, Request

logger = logging.getLogger(__name__)

WATCH_SECONDS: Final = 5.0  # between two looks at whether the engine hangs
HUNG_SECONDS: Final = 120.0  # /health reports a stall after half of that
STEADY_SECONDS: Final = 300.0  # an engine that worked for so long and breaks is opened after the shortest pause


@dataclass(slots=True)
class Backoff:
    """Each pause is twice the one before, from `shortest` to `longest` seconds, and up to a fifth shorter at random.

    Jittered, so that many servers whose hub comes back do not all ask it in the same second.
    """

    shortest: float = 2.0
    longest: float = 300.0
    draw: Callable[[], float] = random.random
    _pause: float = 0.0

    def choose_pause(self) -> float:
        self._pause = min(max(2 * self._pause, self.shortest), self.longest)
        return self._jitter(self._pause)

    def choose_longest(self) -> float:
        """A pause before an attempt that will probably fail too."""
        return self._jitter(self.longest)

    def reset(self) -> None:
        self._pause = 0.0

    def _jitter(self, pause: float) -> float:
        return pause * (1 - 0.2 * self.draw())


class ReloadingEngine(Engine):
    """The engine that `open_engine` returns, and after it has broken the next one. `open_engine` gets `on_broken`.

    Pauses before the next attempt grow. After a SettingError or a ModelError (a wrong setting, a missing file, an
    unsupported architecture, a hub that can't be reached) only the longest is used: loading again mends those where a
    file or the hub comes back. An engine that hangs is given up after `HUNG_SECONDS`; the next one waits for its
    thread to end, since nothing else frees its memory. `release` returns freed memory to the system.
    """

    def __init__(
        self,
        open_engine: Callable[[Callable[[], None]], Engine],
        backoff: Backoff | None = None,
        release: Callable[[], object] = gc.collect,
        clock: Callable[[], float] = time.perf_counter,
        wait: Callable[[threading.Event, float], object] = threading.Event.wait,
    ) -> None:
        self._open = open_engine
        self._backoff = Backoff() if backoff is None else backoff
        self._release = release
        self._clock = clock
        self._wait = wait
        self._changed = threading.Event()  # the engine has broken, or this one is being closed
        self._hurried = threading.Event()  # the pause is to end now
        self._closing = False
        self._failure: Broken | None = None  # why the last engine broke, until the next is ready
        self._limit = 0
        self._engine: Engine | None = open_engine(self._changed.set)
        self._thread = threading.Thread(target=self._run, name="reload", daemon=True)
        self._thread.start()

    @property
    def status(self) -> Status:
        engine, failure = self._engine, self._failure
        if engine is None:
            return failure or Broken(EngineFailed("The engine is closed."))
        status = engine.status
        if isinstance(status, Loading) and failure is not None:
            return replace(status, failure=failure.error)
        return status

    @property
    def load(self) -> Load:
        engine = self._engine
        return Load(0, 0, self._limit, 0.0) if engine is None else engine.load

    def admit(self) -> None:
        self._find().admit()

    def find_wait(self, client: str, places: int = 1) -> float | None:
        return None if (engine := self._engine) is None else engine.find_wait(client, places)

    def tokenize(self, prompt: Prompt, options: str = "{}") -> tuple[str, tuple[Piece, ...]]:
        return self._find().tokenize(prompt, options)

    def submit_all(self, requests: Sequence[Request], logs: Sequence[Log]) -> Sequence[Ticket]:
        return [_WeakTicket(ticket) for ticket in self._find().submit_all(requests, logs)]

    def reload(self) -> bool:
        """End the pause before the next attempt to load the model; False where there is none."""
        if self._engine is not None or self._closing:
            return False
        self._hurried.set()
        return True

    def close(self) -> None:
        self._closing = True
        self._changed.set()
        self._hurried.set()
        if (engine := self._engine) is not None:
            engine.close()

    def _find(self) -> Engine:
        """The engine. Raises NotReady where there is none."""
        engine, failure = self._engine, self._failure
        if engine is not None:
            return engine
        if self._closing or failure is None:
            raise describe_closing()
        raise NotReady(
            f"The model is not available: {failure.error}", max((failure.retry_at or 0.0) - self._clock(), 1.0)
        )

    def _run(self) -> None:
        opened = self._clock()
        while (error := self._watch()) is not None:
            if self._clock() - opened > STEADY_SECONDS:
                self._backoff.reset()
            self._drop(error)
            if self._closing:
                return
            opened = self._clock()
            self._reopen()

    def _reopen(self) -> None:
        while not self._closing:
            try:
                self._engine = engine = self._open(self._changed.set)
            except Exception as error:  # such as a system that has no thread left
                logger.exception("The engine could not be opened.")
                pause = self._backoff.choose_pause()
                sentence = f"The engine can't be opened ({type(error).__name__}: {error})."
                self._failure = Broken(EngineFailed(sentence), self._clock() + pause)
                self._pause(pause)
                continue
            if self._closing:
                engine.close()
            return

    def _watch(self) -> DemoError | None:
        """Wait until the engine breaks or hangs. Why; None where this engine is being closed."""
        while not self._closing:
            engine = self._engine
            assert engine is not None
            status = engine.status
            if isinstance(status, Broken):
                return status.error
            if isinstance(status, Ready):
                self._failure = None
                if engine.load.stalled > HUNG_SECONDS:
                    return EngineFailed(f"The model hangs: no step has ended for {HUNG_SECONDS:.0f} s.")
            self._wait(self._changed, WATCH_SECONDS)
            self._changed.clear()
        return None

    def _drop(self, error: DemoError) -> None:
        """Close the engine and wait: until the pause is over and the engine's memory is free."""
        assert self._engine is not None
        self._limit = self._engine.load.limit
        gone = weakref.ref(self._engine)
        is_lasting = isinstance(error, SettingError | ModelError)
        pause = self._backoff.choose_longest() if is_lasting else self._backoff.choose_pause()
        self._failure = Broken(drop_frames(error), self._clock() + pause)
        engine, self._engine = self._engine, None
        engine.close()
        del engine
        logger.warning("%s Loading is tried again in %.0f s.", error, pause)
        self._pause(pause)
        self._release()
        while gone() is not None and not self._closing:
            pause = self._backoff.choose_pause()
            self._failure = Broken(drop_frames(error), self._clock() + pause)
            logger.warning("The broken engine still holds its memory: the next look is in %.0f s.", pause)
            self._pause(pause)
            self._release()

    def _pause(self, seconds: float) -> None:
        if not self._closing:
            self._wait(self._hurried, seconds)
        self._hurried.clear()


class _WeakTicket(Ticket):
    """A ticket of an engine. The engine holds an open one; what keeps an ended run does not keep the model with it."""

    def __init__(self, ticket: Ticket) -> None:
        self._ticket = weakref.ref(ticket)

    def cancel(self) -> None:
        if (ticket := self._ticket()) is not None:
            ticket.cancel()

    def find_remaining(self) -> float | None:
        return None if (ticket := self._ticket()) is None else ticket.find_remaining()


def drop_frames(error: DemoError) -> DemoError:
    """The error without its traceback and causes, whose frames would keep an engine in memory."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)
