"""Forecasts of one engine's requests: when each ends, and when a new one would get its first token."""

import logging
import math
import threading
import time
from collections.abc import Callable, Iterable
from collections.abc import Sequence as Requests
from typing import Final

from demo.engines.local.answer_lengths import AnswerLengths
from demo.engines.local.scheduler import Scheduler
from demo.engines.local.sequence import Sequence
from demo.engines.local.ttft_prediction import Situation, Times, Unknown, Work, predict
from demo.engines.returning_clients import ReturningClients

logger = logging.getLogger(__name__)

REUSED_SECONDS: Final = 0.05  # a forecast is at least so old before another is made
COST: Final = 100  # and so many times older than it took to make: forecasts take less than 1 / COST of the time


class Forecaster:
    """Forecasts of the open sequences of one scheduler. From any thread: it reads what the engine's thread changes.

    What it reads may thus be a step old in a part and new in another: that matters to no forecast.
    """

    def __init__(
        self, scheduler: Scheduler, list_open: Callable[[], Iterable[Sequence]], clock: Callable[[], float]
    ) -> None:
        self.lengths = AnswerLengths()
        self.returning = ReturningClients[str | None]()
        self._scheduler = scheduler
        self._list_open = list_open
        self._clock = clock
        self._lock = threading.Lock()
        self._times: dict[Sequence, Times] = {}
        self._made = -math.inf  # when the last forecast was made
        self._good_for = 0.0

    def find_remaining(self, sequence: Sequence) -> float | None:
        """Seconds until the sequence is expected to end; None where nothing is known."""
        times, age = self._look(sequence)
        return None if times is None or math.isinf(times.end) else max(times.end - age, 0.0)

    def find_place(self, sequence: Sequence) -> tuple[int, float | None]:
        """How many prompts are read before a waiting sequence's, and the seconds until its first token, if known."""
        times, age = self._look(sequence)
        if times is None:
            unread = [each for each in self._list_open() if not each.output.generated]
            return sum(each.arrival < sequence.arrival for each in unread), None
        return times.order, None if math.isinf(times.first) else max(times.first - age, 0.0)

    def _look(self, sequence: Sequence) -> tuple[Times | None, float]:
        """The times of a sequence in the last forecast, which is made again where it is old; and its age."""
        with self._lock:
            now = self._clock()
            if now - self._made > self._good_for or (sequence not in self._times and not sequence.output.ended):
                self._renew(now)
            return self._times.get(sequence), now - self._made

    def find_ttft(self, new: Requests[Sequence], alone: bool = False) -> float | None:
        """Seconds until all of `new` would have their first tokens, if admitted now; None where nothing is known.

        `alone`: if the engine had nothing else to do.
        """
        present = [] if alone else list(self._list_open())
        times = self.predict([*present, *new])
        if times is None:
            return None
        latest = max(each.first for each in times[-len(new) :])
        rest = self._scheduler.rates.latest / 2 if present else 0.0  # of the step that is being computed
        return latest + rest if math.isfinite(latest) else None

    def predict(self, sequences: Requests[Sequence]) -> list[Times] | None:
        """The times of `sequences`, which are all that the engine has to do; None until its rates are known."""
        scheduler, now = self._scheduler, self._clock()
        rates = scheduler.rates.read()
        if rates is None:
            return None
        works = [self._measure(number, sequence) for number, sequence in enumerate(sequences)]
        limits = scheduler.limits
        alone, beside = scheduler.chunks
        situation = Situation(
            rates,
            alone,
            beside,
            limits.efficient_decodes,
            math.inf if limits.max_num_seqs is None else limits.max_num_seqs,
            math.inf if limits.capacity is None else limits.capacity,
            {work.client: scheduler.find_service(work.client, now) for work in works},
        )
        return predict(works, situation)

    def _renew(self, now: float) -> None:
        begun, sequences = time.thread_time(), list(self._list_open())
        try:
            times = self.predict(sequences)
        except ArithmeticError:  # the engine's thread forecasts too, and must not end by that
            logger.exception("A forecast failed.")
            times = None
        self._times = {} if times is None else dict(zip(sequences, times, strict=True))
        self._made = now
        self._good_for = max(REUSED_SECONDS, COST * (time.thread_time() - begun))

    def _measure(self, number: int, sequence: Sequence) -> Work:
        request, handle, known = sequence.request, sequence.handle, len(sequence.ids)
        generated = sequence.output.generated + sequence.in_flight
        missing = known - (handle.length if handle is not None else sequence.expected_cached)
        decodes = handle is not None and (sequence.in_flight or (missing <= 1 and known > sequence.prompt_length))
        most = request.max_new_tokens or 1
        length = most if request.ignore_eos else self.lengths.expect(request.client, generated, most, sequence.rank)
        client = Unknown(number) if request.client is None else request.client
        prompt = sequence.prompt_length
        again = Work(client, self._clock(), prompt, max(length, 1), prompt, runs=False)
        return Work(
            client,
            sequence.arrival,
            0 if decodes else max(missing, 1),
            max(length - generated, 0),
            known,
            handle is not None,
            request.pace or math.inf,
            sequence.overtaken,
            sequence.prefilled,
            again if self.returning.returns(request.client) else None,
        )
