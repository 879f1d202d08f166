"""The engine of a ZeroGPU Space: admits requests, and answers each by one decorated call in a thread of its own.

A run waits until the platform lends it a GPU; it is queued until its worker writes Started. Several runs are several
calls: whether they run at once is the platform's choice.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from demo.engine import Broken, Engine, Load, Log, Piece, Ready, Status, Ticket, require_fit
from demo.engines.local.model import Model
from demo.engines.zerogpu.gpu_run import GpuRequest, GpuRun, Platform
from demo.engines.zerogpu.gpu_time import GpuTime
from demo.errors import DemoError, NotReady, Overloaded, describe_closing, describe_shutdown
from demo.events import Event
from demo.request import Prompt, Request, choose_seed

CLOSING_SECONDS: Final = 2.0


class ZeroGpuEngine(Engine):
    """Answers with `model`: its encoder is used here, its runner by workers. Or it is the error that there is none."""

    def __init__(self, model: Model | DemoError, platform: Platform) -> None:
        self._model = model
        self._platform = platform
        self._time = GpuTime()
        self._lock = threading.Lock()
        self._closing = False
        self._open: set[GpuRun] = set()
        self._limit = len(platform.flags)
        self._free = set(range(self._limit))

    @property
    def status(self) -> Status:
        return Broken(self._model) if isinstance(self._model, DemoError) else Ready(self._model.card)

    @property
    def load(self) -> Load:
        with self._lock:
            unended = [run for run in self._open if not run.ended]
        running = sum(run.started for run in unended)
        return Load(running, len(unended) - running, self._limit, stalled=0.0)

    def admit(self) -> None:
        with self._lock:
            self._check_limit()

    def tokenize(self, prompt: Prompt, options: str = "{}") -> tuple[str, tuple[Piece, ...]]:
        return self._find_model().tokenize(prompt, options)

    def submit_all(self, requests: Sequence[Request], logs: Sequence[Log]) -> Sequence[Ticket]:
        self.admit()
        runs = self._open_runs([self._read(request) for request in requests], logs)
        for at, run in enumerate(runs):
            try:
                run.start()
            except RuntimeError as error:
                for started in runs[:at]:
                    started.cancel()
                for left in runs[at:]:
                    self._forget(left, ())
                raise Overloaded("No more answers can be begun at once: try again in a moment.") from error
        return runs

    def close(self) -> None:
        with self._lock:
            self._closing = True
            runs = tuple(self._open)
        for run in runs:
            run.fail(describe_shutdown())
        end = time.monotonic() + CLOSING_SECONDS
        for run in runs:
            run.join(max(end - time.monotonic(), 0.0))

    def _read(self, request: Request) -> Callable[[int], GpuRequest]:
        """What a worker is asked for, but for its slot."""
        model = self._find_model()
        prompt = tuple(model.encode(request.prompt, request.truncate, request.template_options))
        longest = model.choose_length(len(prompt), request.max_new_tokens)
        estimate = self._time.estimate(len(prompt), longest)
        return partial(GpuRequest, replace(request, max_new_tokens=longest), prompt, choose_seed(request), estimate)

    def _open_runs(self, asked: Sequence[Callable[[int], GpuRequest]], logs: Sequence[Log]) -> list[GpuRun]:
        with self._lock:
            self._check_limit(len(asked))
            slots = [self._free.pop() for _ in asked]
            for slot in slots:
                self._platform.flags[slot] = 0
            opened = zip(asked, slots, logs, strict=True)
            runs = [GpuRun(self._platform, ask(slot), log, self._forget) for ask, slot, log in opened]
            self._open.update(runs)
        return runs

    def _forget(self, run: GpuRun, events: Sequence[Event]) -> None:
        self._time.note(events)
        with self._lock:
            self._open.discard(run)
            self._free.add(run.asked.slot)

    def _find_model(self) -> Model:
        if self._closing:
            raise describe_closing()
        if isinstance(self._model, DemoError):
            raise NotReady(f"The model is not available: {self._model}")
        return self._model

    def _check_limit(self, places: int = 1) -> None:
        self._find_model()
        require_fit(places, self._limit)
        if len(self._free) < places:
            raise Overloaded(
                f"Model is overloaded: {self._limit} requests wait for a GPU or are being answered, which is the "
                "limit. Try again in a few seconds."
            )
