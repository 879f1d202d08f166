"""The Engine: one thread owns the model; requests are rows that join and leave between its steps.

Admission is bounded at the door; behind it every request gets exactly one final event, whatever happens.
Knows no tensors: importing it does not import torch, so a page can be shown while the model loads.
"""

import gc
import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from demo.engines.local.rows import Rows
from demo.engines.local.sequence import Generation, SampledToken
from demo.errors import DemoError, EngineFailed, NotReady, Overloaded, describe_failure, shutting_down
from demo.events import Broken, Engine, Load, Loading, Log, Piece, Prompt, Ready, Request, Status, Ticket
from demo.loop_waker import wake_together
from demo.settings import Settings

if TYPE_CHECKING:
    from demo.engines.local.decode import Line
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
        self._open: set[Generation] = set()  # admitted and not ended: queued, reading or a row
        self._queue: deque[Generation] = deque()
        self._reading: dict[Generation, Line] = {}  # in the order in which they came
        self._rows: Rows | None = None  # once there is a model
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    @property
    def status(self) -> Status:
        return self._status

    @property
    def load(self) -> Load:
        with self._changed:
            running, now = len(self._rows or ()), self._clock()
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
        generation = Generation(request, prompt, seed, model.vocabulary, log, self._wake, self._forget, self._clock)
        with self._changed:
            self._admit()  # again: others may have come in while the prompt was encoded
            if not self._open:
                self._alive = self._clock()
            self._open.add(generation)
            self._queue.append(generation)
            self._changed.notify()
        return generation

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
            self._changed.notify()

    def _forget(self, generation: Generation) -> None:
        with self._changed:
            self._open.discard(generation)

    def _report(self, loading: Loading) -> None:
        self._status = loading

    def _run(self) -> None:
        try:
            self._model = model = self._load(self._report)
            self._status = Ready(model.card)
            self._rows = rows = Rows(model.decoder, self._clock)
            logger.info("Ready to answer%s", _say_rate(model.card.rate))
            while self._wait_for_work(model, rows):
                self._alive = self._clock()
                self._prepare_step(model, rows)
                self._drop_cancelled(rows)
                if not model.decoder.is_ahead:
                    self._read_prompts(model, rows)
                self._step(model, rows)
        except DemoError as error:
            self._break(error)
        except BaseException as error:
            logger.exception("The engine's thread broke.")
            self._break(EngineFailed(f"The engine broke ({type(error).__name__}: {error}): restart the server."))
        finally:
            self._finish_all()

    def _wait_for_work(self, model: "Model", rows: Rows) -> bool:
        with self._changed:
            while (pause := self._find_pause(model, rows)) > 0:
                self._alive = self._clock()
                self._changed.wait(min(pause, LONGEST_PAUSE))
            return not self._closing

    def _find_pause(self, model: "Model", rows: Rows) -> float:
        """Seconds until there is something to do, as far as is known."""
        if self._closing or self._reading or (self._queue and self._has_room(model, rows)):
            return 0.0
        return 0.0 if any(generation.cancelled for generation in self._queue) else rows.pause

    def _prepare_step(self, model: "Model", rows: Rows) -> None:
        """Let a step under way end before the next is launched, so that nobody who cancels meanwhile is in that."""
        try:
            model.decoder.wait()
            rows.settle()
        except Exception as error:
            self._fail_rows(rows, error)

    def _drop_cancelled(self, rows: Rows) -> None:
        dropped = rows.drop_cancelled()
        unread = [generation for generation in self._reading if generation.cancelled]
        for generation in unread:
            del self._reading[generation]
        with self._changed:
            unread += [generation for generation in self._queue if generation.cancelled]
            self._queue = deque(generation for generation in self._queue if not generation.cancelled)
        for generation in dropped + unread:
            generation.finish("cancelled")

    def _read_prompts(self, model: "Model", rows: Rows) -> None:
        """Read a chunk of the prompts that are next; with its first token sampled, a request joins the rows."""
        while len(self._reading) < model.decoder.together and self._has_room(model, rows) and self._start_next(model):
            pass
        if not self._reading:
            return
        generations, lines = list(self._reading), list(self._reading.values())
        try:
            size = model.decoder.chunks.choose(len(rows.stepping), len(lines), len(rows.parked))
            outcomes = model.decoder.read(lines, size)
        except Exception as error:
            self._reading = {}
            self._fail(generations, error)
            return
        for generation, line, outcome in zip(generations, lines, outcomes, strict=True):
            generation.note_progress(line.prefill.length)
            if outcome is not None:
                self._begin_answer(rows, generation, outcome)

    def _start_next(self, model: "Model") -> bool:
        with self._changed:
            if not self._queue:
                return False
            generation = self._queue.popleft()
        generation.start()
        try:
            self._reading[generation] = model.decoder.open(generation.prompt, generation.request, generation.seed)
        except Exception as error:
            self._fail([generation], error)
        return True

    def _begin_answer(self, rows: Rows, generation: Generation, outcome: SampledToken | Exception) -> None:
        line = self._reading.pop(generation)
        if generation.request.prompt_logprobs:
            generation.score(line.prefill.logprobs)
        self._accept(generation, outcome)
        if generation.ended:
            return
        try:
            rows.join(generation, line)
        except Exception as error:
            self._fail_rows(rows, error)

    def _has_room(self, model: "Model", rows: Rows) -> bool:
        room = model.decoder.room
        return room is None or len(rows) + len(self._reading) < room

    @wake_together()
    def _step(self, model: "Model", rows: Rows) -> None:
        """The next token of every row that is due."""
        if not rows.stepping:
            return
        # Not ahead of a prompt: it joins between steps, and should not wait for one more.
        reads_next = self._reading or (self._queue and self._has_room(model, rows))
        try:
            outcomes = rows.step(ahead=not reads_next)
        except Exception as error:
            self._fail_rows(rows, error)
            return
        for row in reversed(range(len(outcomes))):
            self._accept(rows.stepping[row], outcomes[row])
            if rows.stepping[row].ended:
                rows.leave(row)

    def _accept(self, generation: Generation, outcome: SampledToken | Exception) -> None:
        try:
            if isinstance(outcome, Exception):
                raise outcome
            generation.accept(outcome)
        except Exception as error:
            self._fail([generation], error)

    def _fail_rows(self, rows: Rows, error: Exception) -> None:
        self._fail(rows.clear(), error)

    def _fail(self, generations: Iterable[Generation], error: Exception) -> None:
        logger.error("A request failed during generation.", exc_info=error)
        for generation in generations:
            generation.fail(describe_failure(error))

    def _break(self, error: DemoError) -> None:
        self._status = Broken(error)
        for generation in self._unfinished():
            generation.fail(error)
        self._on_broken()

    def _finish_all(self) -> None:
        for generation in self._unfinished():
            generation.fail(shutting_down())

    def _unfinished(self) -> list[Generation]:
        with self._changed:
            return list(self._open)


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
