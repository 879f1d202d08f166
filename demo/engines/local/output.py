"""Writes the events of one request to its log. Knows no tensor."""

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from demo.engine import Log
from demo.engines.local.detokenizer import Decode, Detokenizer, StopStrings
from demo.errors import DemoError
from demo.events import (
    Candidate,
    Done,
    Event,
    Failed,
    FinishReason,
    PromptProgress,
    PromptRead,
    PromptToken,
    Queued,
    Started,
    Token,
)
from demo.request import Request

QUEUED_SECONDS: Final = 1.0  # at least between two events that only count down
PROGRESS_SECONDS: Final = 0.05  # at least between two events: chunks may have few tokens


@dataclass(frozen=True, slots=True)
class SampledToken:
    """A sampled token id, its log-probability, and the likeliest (id, log-probability) if asked for."""

    id: int
    logprob: float
    top: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """From ids to text and roles. `decode` omits special tokens, `spell` does not."""

    decode: Decode
    spell: Decode
    special_ids: frozenset[int]
    eos_ids: frozenset[int]


class Output:
    """Writes the log of `request`. Exactly one final event is written, and nothing after it, from any thread."""

    def __init__(
        self,
        request: Request,
        prompt: Sequence[int],
        vocabulary: Vocabulary,
        log: Log,
        clock: Callable[[], float],
        on_end: Callable[[], None],
    ) -> None:
        self.started = False
        self.generated = 0
        self.ended = False  # whether the final event has been logged
        self.reason: FinishReason | None = None  # of a Done
        self._request = request
        self._prompt = tuple(prompt)
        self._vocabulary = vocabulary
        self._log = log
        self._clock = clock
        self._on_end = on_end
        self._detokenizer = Detokenizer(vocabulary.decode, prompt)
        self._stops = StopStrings(request.stop)
        self._reported = -math.inf  # when progress was last logged
        self._told = (-math.inf, -1)  # when a place in the queue was last logged, and which
        self._writing = threading.Lock()

    def start(self, seed: int, cached_tokens: int) -> None:
        """Log that the prompt is being read, without its first `cached_tokens`."""
        self.started = True
        self._write(Started(self._clock(), len(self._prompt), seed, cached_tokens))

    def note_queue(self, ahead: int, seconds: float | None) -> None:
        """Log that it waits, behind `ahead` others, where that or a second is new."""
        now = self._clock()
        told_at, told = self._told
        if not self.started and (ahead != told or now - told_at >= QUEUED_SECONDS):
            self._told = now, ahead
            self._write(Queued(now, ahead, seconds))

    def note_progress(self, read: int) -> None:
        """Log that `read` prompt tokens have been read, except where one chunk is the whole prompt."""
        now, total = self._clock(), len(self._prompt)
        is_due = read < total and now - self._reported >= PROGRESS_SECONDS
        if is_due or (read == total and self._reported > -math.inf):
            self._reported = now if read < total else -math.inf
            self._write(PromptProgress(now, read, total))

    def score(self, logprobs: Sequence[float]) -> None:
        """Log the prompt's tokens with their log-probabilities: `logprobs`, from the second token on."""
        scored = zip(self._prompt, (None, *logprobs), strict=True)
        tokens = tuple(PromptToken(id, self._vocabulary.spell([id]), logprob) for id, logprob in scored)
        self._write(PromptRead(self._clock(), tokens))

    def accept(self, sampled: SampledToken) -> float:
        """Log a sampled token, together with the end if it is the last. Returns the time of the events."""
        now = self._clock()
        self.generated += 1
        text, reason = self._read(sampled.id)
        special = sampled.id in self._vocabulary.special_ids
        top = tuple(self._name(id, logprob) for id, logprob in sampled.top)
        token = Token(now, self.generated, sampled.id, text, sampled.logprob, special, top)
        self._write(token, *(() if reason is None else [Done(now, reason, self.generated)]))
        return now

    def finish(self, reason: FinishReason) -> None:
        """Log the end, unless an end has been logged."""
        self._write(Done(self._clock(), reason, self.generated))

    def fail(self, error: DemoError) -> None:
        """Log a failure as the end, unless an end has been logged."""
        self._write(Failed(self._clock(), error))

    def _write(self, *events: Event) -> None:
        # The engine's thread and the one that closes the engine may both write an end: the second is dropped.
        with self._writing:
            if self.ended:
                return
            if isinstance(events[-1], Done | Failed):
                self.ended = True
                self.reason = events[-1].finish_reason if isinstance(events[-1], Done) else None
                self._on_end()
            self._log(*events)

    def _name(self, id: int, logprob: float) -> Candidate:
        return Candidate(id, self._vocabulary.spell([id]), logprob, id in self._vocabulary.special_ids)

    def _read(self, id: int) -> tuple[str, FinishReason | None]:
        if id in self._vocabulary.eos_ids and not self._request.ignore_eos:
            return self._flush(), "eos_token"
        text, stopped = self._stops.feed(self._detokenizer.feed(id))
        if stopped:
            return text, "stop_sequence"
        if self.generated == self._request.max_new_tokens:
            return text + self._flush(), "length"
        return text, None

    def _flush(self) -> str:
        text, stopped = self._stops.feed(self._detokenizer.flush())
        return text if stopped else text + self._stops.flush()
