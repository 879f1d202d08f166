"""The local model as an Engine: admits a limited number of requests, and answers them in a thread that owns the model.

Every admitted request gets exactly one final event, also where the engine breaks or closes.
Importing this module does not import torch, so that a page can be shown while the model loads.
"""

import gc
import logging
import sys
import threading
import time
from collections.abc import Callable
from collections.abc import Sequence as Requests
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

from demo.engine import Broken, Engine, Load, Loading, Log, Piece, Ready, Status, Ticket, require_fit, require_free
from demo.engines.local.forecast import Forecaster, refuse_late
from demo.engines.local.output import Output
from demo.engines.local.scheduler import Scheduler
from demo.engines.local.sequence import Sequence
from demo.errors import DemoError, EngineFailed, NotReady, describe_closing, describe_shutdown, is_out_of_memory
from demo.request import Prompt, Request, choose_seed
from demo.settings import Settings

if TYPE_CHECKING:
    from demo.engines.local.model import Model

logger = logging.getLogger(__name__)

Report: TypeAlias = Callable[[Loading], None]

CLOSING_SECONDS = 2.0
LONGEST_PAUSE = 1.0  # seconds after which a sleeping thread notes that it is alive


class LocalEngine(Engine):
    """Answers requests with the model that `load` returns, in a thread that starts at once.

    That thread calls `on_broken` when the engine can answer no more requests; `status` then holds the error.
    """

    def __init__(
        self,
        load: "Callable[[Report], Model]",
        max_concurrent_requests: int,
        on_broken: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.perf_counter,
        max_ttft: float | None = None,
    ) -> None:
        self._load = load
        self._limit = max_concurrent_requests
        self._on_broken = on_broken
        self._clock = clock
        self._status: Status = Loading("starting")
        self._model: Model | None = None
        self._changed = threading.Condition()
        self._closing = False
        self._alive = self._clock()  # when the thread last was idle or completed a step
        self._open: set[Sequence] = set()  # admitted and not ended: new, waiting or running
        self._new: list[Sequence] = []  # not yet passed to the scheduler
        self._woken = False  # whether the thread shall check for new and cancelled sequences
        self._scheduler: Scheduler | None = None  # from when the model is loaded
        self._forecaster: Forecaster | None = None
        self._max_ttft = max_ttft
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

    def tokenize(self, prompt: Prompt, options: str = "{}") -> tuple[str, tuple[Piece, ...]]:
        return self._find_model().tokenize(prompt, options)

    # Way 10: The engine encodes the prompt and queues a sequence for its thread
    def submit_all(self, requests: Requests[Request], logs: Requests[Log]) -> Requests[Ticket]:
        model = self._admit(len(requests))
        encode = cache(model.encode)  # several answers to one prompt
        sequences = [
            self._make_sequence(model, request, encode(request.prompt, request.truncate, request.template_options), log)
            for request, log in zip(requests, logs, strict=True)
        ]
        self._check_ttft(sequences)
        with self._changed:
            self._admit(len(requests))  # again: others may have been admitted while the prompts were encoded
            if not self._open:
                self._alive = self._clock()
            self._open.update(sequences)
            self._new += sequences
            if self._forecaster is not None:
                self._forecaster.note_request(sequences[0])
        self._wake()
        return sequences

    def _make_sequence(self, model: "Model", request: Request, prompt: Requests[int], log: Log) -> Sequence:
        request = replace(request, max_new_tokens=model.choose_length(len(prompt), request.max_new_tokens))
        output = Output(request, prompt, model.vocabulary, log, self._clock, lambda: self._forget(sequence))
        sequence = Sequence(request, prompt, choose_seed(request), output, self._clock(), self._wake)
        if (forecaster := self._forecaster) is not None:
            sequence.forecast, sequence.rank = forecaster.find_remaining, forecaster.lengths.take_rank()
            if request.cache_prompt and not request.prompt_logprobs:
                sequence.expected_cached = model.runner.count_cached(prompt, request.client)
        return sequence

    def _check_ttft(self, sequences: Requests[Sequence]) -> None:
        """Raise Overloaded where their first tokens would come too late; BadRequest where they always would."""
        forecaster, most = self._forecaster, self._max_ttft
        if most is None or forecaster is None or (ttft := forecaster.find_ttft(sequences)) is None or ttft <= most:
            return
        alone = forecaster.find_ttft(sequences, alone=True) or 0.0
        refuse_late(ttft, alone, most, sum(sequence.prompt_length for sequence in sequences))

    def close(self) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(CLOSING_SECONDS)
        self._fail_all(describe_shutdown())  # also where the thread still computes a step

    def _admit(self, places: int = 1) -> "Model":
        with self._changed:
            model = self._find_model()
            require_fit(places, self._limit)
            require_free(places, len(self._open), self._limit)
            return model

    def _find_model(self) -> "Model":
        with self._changed:
            if self._closing:
                raise describe_closing()
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
        if self._forecaster is not None:
            self._forecaster.note_end(sequence)

    def _list_open(self) -> list[Sequence]:
        with self._changed:
            return list(self._open)

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
            self._fail_all(describe_shutdown())

    def _answer(self, model: "Model") -> None:
        """Run step after step until the engine is closed."""
        from demo.engines.local.step_loop import StepLoop  # it imports torch

        self._scheduler = scheduler = Scheduler(model.runner, self._clock)
        self._forecaster = forecaster = Forecaster(scheduler, self._list_open, self._clock)
        loop = StepLoop(model.runner, scheduler, self._clock)
        self._model, self._status = model, Ready(model.card)
        rate = model.card.rate
        logger.info("Ready to answer%s", "" if rate is None else f": {rate:.3g} tokens/s for one stream")
        busy = True
        while self._take_new(scheduler, busy):
            self._alive = self._clock()
            busy = loop.step()
            forecaster.tell_waiting()

    def _take_new(self, scheduler: Scheduler, busy: bool) -> bool:
        """Pass new sequences to the scheduler; unless `busy`, sleep until there is work. False where it is closing."""
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
        self._fail_all(error)
        self._on_broken()

    def _fail_all(self, error: DemoError) -> None:
        for sequence in self._list_open():
            sequence.output.fail(error)


def _describe_break(error: BaseException) -> EngineFailed:
    if is_out_of_memory(error):
        return EngineFailed(f"The model finds too little memory ({error}): choose a smaller one, or free some.")
    return EngineFailed(f"The engine broke ({type(error).__name__}: {error}): restart the server.")


def release_memory() -> None:
    """Free a model that nobody uses any more, also the objects that were frozen after loading."""
    gc.unfreeze()
    gc.enable()
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()  # else the next KV cache gets a share of less memory


def open_engine(settings: Settings, on_broken: Callable[[], None]) -> Engine:
    """The engine that `settings` describe. Returns at once: torch and the model are loaded in the engine's thread."""

    def load(report: Report) -> "Model":
        from demo.engines.local.loading.model import load_model

        model = load_model(settings, report)
        gc.freeze()  # the loaded objects stay: scanning them at every collection would cause pauses
        gc.enable()
        return model

    return LocalEngine(load, settings.max_concurrent_requests, on_broken, max_ttft=settings.max_ttft)
