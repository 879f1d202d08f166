"""The local model as an Engine: admits requests at the door, and answers them from a thread that owns the model.

Admission is bounded at the door; behind it every request gets exactly one final event, whatever happens.
Knows no tensors: importing it does not import torch, so a page can be shown while the model loads.
"""

import gc
import logging
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from demo.engines.local.output import Output
from demo.engines.local.scheduler import Scheduler
from demo.engines.local.sequence import Sequence
from demo.errors import DemoError, EngineFailed, NotReady, Overloaded, describe_shutdown, is_out_of_memory
from demo.events import Broken, Engine, Load, Loading, Log, Piece, Prompt, Ready, Request, Status, Ticket
from demo.settings import Settings

if TYPE_CHECKING:
    from demo.engines.local.model import Model

logger = logging.getLogger(__name__)

Report: TypeAlias = Callable[[Loading], None]

SEED_BITS = 53  # what JavaScript can repeat exactly
CLOSING_SECONDS = 2.0
LONGEST_PAUSE = 1.0  # seconds that the thread sleeps at a time, and counts as alive


class LocalEngine(Engine):
    """Answers requests with the model that `load` returns, from a thread of its own that starts at once.

    `on_broken` is called from that thread when no request will ever be answered; `status` then says why.
    """

    def __init__(
        self,
        load: "Callable[[Report], Model]",
        max_concurrent_requests: int,
        on_broken: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._load = load
        self._limit = max_concurrent_requests
        self._on_broken = on_broken
        self._clock = clock
        self._status: Status = Loading("starting")
        self._model: Model | None = None
        self._changed = threading.Condition()
        self._closing = False
        self._alive = self._clock()  # when the thread last had nothing to do or ended a step
        self._open: set[Sequence] = set()  # admitted and not ended: new, waiting or running
        self._new: list[Sequence] = []  # not yet known to the scheduler
        self._woken = False  # whether something has happened that the thread should look at
        self._scheduler: Scheduler | None = None  # once there is a model
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    @property
    def status(self) -> Status:
        return self._status

    @property
    def load(self) -> Load:
        with self._changed:
            running, now = len(self._scheduler.running) if self._scheduler else 0, self._clock()
            return Load(running, len(self._open) - running, self._limit, now - self._alive if self._open else 0.0)

    def admit(self) -> None:
        self._admit()

    def tokenize(self, prompt: Prompt) -> tuple[str, tuple[Piece, ...]]:
        return self._find_model().tokenize(prompt)

    def submit(self, request: Request, log: Log) -> Ticket:
        model = self._admit()
        prompt = model.encode(request.prompt, request.truncate)
        model.check_length(len(prompt), request.max_new_tokens)
        request = replace(request, max_new_tokens=request.max_new_tokens or model.card.max_total_tokens - len(prompt))
        seed = secrets.randbits(SEED_BITS) if request.sampling.seed is None else request.sampling.seed
        output = Output(request, prompt, model.vocabulary, log, self._clock, lambda: self._forget(sequence))
        sequence = Sequence(request, prompt, seed, output, self._clock(), self._wake)
        with self._changed:
            self._admit()  # again: others may have come in while the prompt was encoded
            if not self._open:
                self._alive = self._clock()
            self._open.add(sequence)
            self._new.append(sequence)
        self._wake()
        return sequence

    def close(self) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(CLOSING_SECONDS)
        # A step that outlasts our patience must not keep anyone waiting for a final event.
        self._finish_all()

    def _admit(self) -> "Model":
        with self._changed:
            model = self._find_model()
            if len(self._open) >= self._limit:
                raise Overloaded(
                    f"Model is overloaded: {len(self._open)} requests are being answered, which is the limit. "
                    "Try again in a few seconds."
                )
            return model

    def _find_model(self) -> "Model":
        with self._changed:
            if self._closing:
                raise NotReady("The server is shutting down: try again in a minute.")
            if isinstance(self._status, Broken):
                raise NotReady(f"The model is not available: {self._status.error}")
            if self._model is None:
                raise NotReady("The model is still loading: try again in a few seconds.")
            return self._model

    def _wake(self) -> None:
        with self._changed:
            self._woken = True
            self._changed.notify()

    def _forget(self, sequence: Sequence) -> None:
        with self._changed:
            self._open.discard(sequence)

    def _report(self, loading: Loading) -> None:
        self._status = loading

    def _run(self) -> None:
        try:
            self._answer(self._load(self._report))
        except DemoError as error:
            self._break(error)
        except BaseException as error:
            logger.exception("The engine's thread broke.")
            self._break(_describe_break(error))
        finally:
            self._finish_all()

    def _answer(self, model: "Model") -> None:
        """Do step after step until the engine is closed."""
        from demo.engines.local.step_loop import StepLoop  # it imports torch

        self._scheduler = scheduler = Scheduler(model.runner, self._clock)
        loop = StepLoop(model.runner, scheduler, self._clock)
        self._model, self._status = model, Ready(model.card)
        logger.info("Ready to answer%s", _say_rate(model.card.rate))
        busy = True
        while self._take_new(scheduler, busy):
            self._alive = self._clock()
            busy = loop.step()

    def _take_new(self, scheduler: Scheduler, busy: bool) -> bool:
        """Hand new sequences to the scheduler, after waiting for something to do unless `busy`; False at the end."""
        with self._changed:
            while not (busy or self._woken or self._closing) and (pause := scheduler.pause) > 0:
                self._alive = self._clock()
                self._changed.wait(min(pause, LONGEST_PAUSE))
            new, self._new, self._woken = self._new, [], False
            for sequence in new:
                scheduler.add(sequence)
            return not self._closing

    def _break(self, error: DemoError) -> None:
        self._status = Broken(error)
        for sequence in self._unfinished():
            sequence.output.fail(error)
        self._on_broken()

    def _finish_all(self) -> None:
        for sequence in self._unfinished():
            sequence.output.fail(describe_shutdown())

    def _unfinished(self) -> list[Sequence]:
        with self._changed:
            return list(self._open)


def _describe_break(error: BaseException) -> EngineFailed:
    if is_out_of_memory(error):
        return EngineFailed(f"The model finds too little memory ({error}): choose a smaller one, or free some.")
    return EngineFailed(f"The engine broke ({type(error).__name__}: {error}): restart the server.")


def _say_rate(rate: float | None) -> str:
    return "" if rate is None else f": {rate:.3g} tokens/s for one stream"


def open_engine(settings: Settings, on_broken: Callable[[], None]) -> Engine:
    """The engine that `settings` ask for. Returns at once: torch and the model load in the engine's thread."""

    def load(report: Report) -> "Model":
        from demo.engines.local.model import load_model

        model = load_model(settings, report)
        gc.freeze()  # what is here stays: looking at it again and again would cost pauses
        gc.enable()
        return model

    return LocalEngine(load, settings.max_concurrent_requests, on_broken)
