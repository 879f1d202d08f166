"""Forecasts of one engine's requests: when each ends, and when a waiting or a new one gets its first token.

An answer may end before its maximum length: how long it will be is guessed from those that ended lately.
"""

import itertools
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Container, Hashable, Iterable, Iterator
from collections.abc import Sequence as Requests
from dataclasses import replace
from typing import Final

from demo.engines.local.scheduler import Scheduler
from demo.engines.local.sequence import Sequence
from demo.engines.local.ttft_prediction import Situation, Times, Unknown, Work, predict
from demo.engines.returning_clients import Habit, ReturningClients
from demo.errors import BadRequest, Overloaded
from demo.loop_waker import wake_together

logger = logging.getLogger(__name__)

REUSED_SECONDS: Final = 0.05  # a forecast is at least so old before another is made
COST: Final = 100  # and so many times older than it took to make: forecasts take less than 1 / COST of the time
WAITED: Final = 0.1  # seconds after which a request that waits is told
PAUSE: Final = 0.25  # seconds between two looks at all that wait
SURE: Final = 2.0  # a prediction that is so many times too long is not an error of the prediction
RECENT_ANSWERS: Final = 128
ENOUGH_ANSWERS: Final = 8  # of one client, to look at no other
GOLDEN: Final = 0.6180339887498949  # multiples of it, modulo 1, are spread evenly however many there are


class AnswerLengths:
    """Notes the lengths of answers, in any thread. Knows no clock."""

    def __init__(self) -> None:
        self._ended: deque[tuple[Hashable, int, bool]] = deque(maxlen=RECENT_ANSWERS)
        self._numbers = itertools.count(1)

    def note(self, client: Hashable, tokens: int, was_cut: bool) -> None:
        """An answer of a client has ended; `was_cut`: at its maximum length."""
        self._ended.append((client, tokens, was_cut))

    def take_rank(self) -> float:
        """Where among all possible lengths a new answer is assumed to be, from 0 to 1.

        If every answer was assumed to have the median length, the first of many would be expected to end too late.
        """
        return next(self._numbers) * GOLDEN % 1.0

    def expect(self, client: Hashable, generated: int, most: int, rank: float) -> int:
        """The length of an answer of which so many tokens are there, and which has at most `most`."""
        ended = list(self._ended)
        own = [each for each in ended if each[0] == client]
        lengths = sorted(
            most if was_cut else min(tokens, most)
            for _, tokens, was_cut in (own if len(own) >= ENOUGH_ANSWERS else ended)
            if was_cut or tokens > generated
        )
        return max(lengths[int(rank * len(lengths))], generated + 1) if lengths else most


class Forecaster:
    """Forecasts of the open sequences of one scheduler. From any thread: it reads what the engine's thread changes.

    What it reads may thus be a step old in a part and new in another: that matters to no forecast.
    """

    def __init__(
        self, scheduler: Scheduler, list_open: Callable[[], Iterable[Sequence]], clock: Callable[[], float]
    ) -> None:
        self.lengths = AnswerLengths()
        self._returning = ReturningClients[Work]()
        self._scheduler = scheduler
        self._list_open = list_open
        self._clock = clock
        self._lock = threading.Lock()
        self._times: dict[Sequence, Times] = {}
        self._made = -math.inf  # when the last forecast was made
        self._good_for = 0.0
        self._due = -math.inf  # when the waiting sequences are looked at again

    def note_request(self, sequence: Sequence) -> None:
        """A client asks for one or more answers like `sequence`, and is admitted."""
        request, prompt, length = sequence.request, sequence.prompt_length, self._expect_length(sequence)
        asked = Work(request.client, 0.0, prompt, length, prompt, runs=False, pace=request.pace or math.inf)
        self._returning.note_request(request.client, asked, self._clock())

    def note_end(self, sequence: Sequence) -> None:
        """An answer has ended, or nobody reads it any more."""
        request, output = sequence.request, sequence.output
        self._returning.note_end(request.client, self._clock())
        if output.reason not in (None, "cancelled") and not request.ignore_eos:
            self.lengths.note(request.client, output.generated, output.reason == "length")

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

    def tell_waiting(self) -> None:
        """Tell waiting sequences their places, where another look is due. In the engine's thread.

        Where none waits, this costs one comparison.
        """
        if not self._scheduler.waiting or (now := self._clock()) < self._due:
            return
        self._due = now + PAUSE
        with wake_together():
            for sequence in self._scheduler.waiting:
                if now - sequence.arrival >= WAITED:
                    sequence.output.note_queue(*self.find_place(sequence))

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
        times = self.predict([*present, *new], alone)
        if times is None:
            return None
        latest = max(each.first for each in times[-len(new) :])
        rest = self._scheduler.rates.latest / 2 if present else 0.0  # of the step that is being computed
        return latest + rest if math.isfinite(latest) else None

    def predict(self, sequences: Requests[Sequence], alone: bool = False) -> list[Times] | None:
        """The times of `sequences`, which are all that the engine has to do; None until its rates are known.

        `alone`: without the clients that are expected to ask again.
        """
        scheduler, now = self._scheduler, self._clock()
        rates = scheduler.rates.read()
        if rates is None:
            return None
        works = [self._measure(number, sequence) for number, sequence in enumerate(sequences)]
        works += [] if alone else self._list_away(now, {work.client for work in works})
        limits, (alone_chunk, beside_chunk) = scheduler.limits, scheduler.chunks
        most, capacity = limits.max_num_seqs or math.inf, limits.capacity or math.inf
        service = {work.client: scheduler.service.find(work.client, now) for work in works}
        situation = Situation(rates, alone_chunk, beside_chunk, limits.efficient_decodes, most, capacity, service)
        return predict(works, situation)[: len(sequences)]

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
        length = self._expect_length(sequence)
        client = Unknown(number) if request.client is None else request.client
        habit = self._returning.find(request.client)
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
            again=None if habit is None else _make_again(habit, self._clock()),
        )

    def _list_away(self, now: float, present: Container[Hashable]) -> Iterator[Work]:
        """What the clients ask for that have just been answered and are expected to ask again."""
        for client, habit in self._returning.list_away(now):
            if client not in present:
                back, again = habit.find_back(now), _make_again(habit, now)
                yield replace(again, arrival=now + back, delay=back, again=again)

    def _expect_length(self, sequence: Sequence) -> int:
        request, generated = sequence.request, sequence.output.generated + sequence.in_flight
        most = request.max_new_tokens or 1
        return most if request.ignore_eos else self.lengths.expect(request.client, generated, most, sequence.rank)


def _make_again(habit: Habit[Work], now: float) -> Work:
    """What a client asks for again and again, after its usual pause."""
    return replace(habit.asked, arrival=now, delay=habit.pause)


def refuse_late(ttft: float, alone: float, most: float, prompt_tokens: int) -> None:
    """Raise what says that the first token would come after `ttft` seconds, or after `alone` if nothing else was asked.

    BadRequest where that is surely too late even alone. An engine that has nothing else to do refuses nothing else.
    """
    if alone > SURE * most:
        raise BadRequest(
            f"Reading the prompt's {prompt_tokens} tokens takes about {alone:.2g} s here, and the first token must "
            f"come within {most:g} s (--max-ttft): shorten the prompt."
        )
    wait = ttft - max(most, alone)
    if wait > 0:
        raise Overloaded(
            f"Model is overloaded: the first token would come in about {ttft:.2g} s, and {most:g} s are allowed "
            f"(--max-ttft). Try again in about {wait:.2g} s.",
            wait,
        )
