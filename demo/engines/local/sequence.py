"""One admitted request while it is being answered: from chosen ids to the events of its log. Knows no tensor."""

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from demo.engines.local.detokenizer import Decode, Detokenizer, StopStrings
from demo.engines.local.pace import Pace
from demo.errors import DemoError
from demo.events import (
    Candidate,
    Done,
    Event,
    Failed,
    FinishReason,
    Log,
    PromptProgress,
    PromptRead,
    PromptToken,
    Request,
    Started,
    Token,
)

PROGRESS_SECONDS: Final = 0.05  # at least, between two events: beside others, prompts are read in chunks of few tokens


@dataclass(frozen=True, slots=True)
class SampledToken:
    """A chosen token id, its log-probability, and the likeliest (id, log-probability) if asked for."""

    id: int
    logprob: float
    top: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What of the tokenizer is needed to turn ids into events. `decode` leaves special tokens out, `spell` does not."""

    decode: Decode
    spell: Decode
    special_ids: frozenset[int]
    eos_ids: frozenset[int]


class Generation:
    """A ticket for `request`. The engine's thread writes its log; any thread may `cancel` it."""

    def __init__(
        self,
        request: Request,
        prompt: Sequence[int],
        seed: int,
        vocabulary: Vocabulary,
        log: Log,
        on_cancel: Callable[[], None],
        on_end: Callable[["Generation"], None],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.request = request
        self.prompt = tuple(prompt)
        self.seed = seed
        self.cancelled = False
        self.pace = Pace(request.pace)
        self._clock = clock
        self._vocabulary = vocabulary
        self._log = log
        self._on_cancel = on_cancel
        self._on_end = on_end
        self._detokenizer = Detokenizer(vocabulary.decode, prompt)
        self._stops = StopStrings(request.stop)
        self._generated = 0
        self._told = -math.inf  # when it was last told how far the prompt has been read
        self._writing = threading.Lock()
        self._ended = False

    @property
    def ended(self) -> bool:
        """Whether the final event has been logged."""
        return self._ended

    def cancel(self) -> None:
        """Ask the engine's thread to stop after the token it is at."""
        self.cancelled = True
        self._on_cancel()

    def start(self) -> None:
        """Log that the prompt is being read."""
        self._write(Started(self._clock(), len(self.prompt), self.seed))

    def note_progress(self, read: int) -> None:
        """Log that so much of the prompt has been read, after a chunk of it; nothing where one chunk is all of it."""
        now, total = self._clock(), len(self.prompt)
        is_due = read < total and now - self._told >= PROGRESS_SECONDS
        if is_due or (read == total and self._told > -math.inf):
            self._told = now
            self._write(PromptProgress(now, read, total))

    def score(self, logprobs: Sequence[float]) -> None:
        """Log how likely each token of the prompt was; `logprobs` are those of all but the first."""
        scored = zip(self.prompt, (None, *logprobs), strict=True)
        tokens = tuple(PromptToken(id, self._vocabulary.spell([id]), logprob) for id, logprob in scored)
        self._write(PromptRead(self._clock(), tokens))

    def accept(self, chosen: SampledToken) -> None:
        """Log a sampled token, and with it the end if it is the last."""
        now = self._clock()
        self.pace.note(now)
        self._generated += 1
        text, reason = self._read(chosen.id)
        special = chosen.id in self._vocabulary.special_ids
        top = tuple(self._name(id, logprob) for id, logprob in chosen.top)
        token = Token(now, self._generated, chosen.id, text, chosen.logprob, special, top)
        if reason is None:
            self._write(token)
        else:
            self._write(token, Done(now, reason, self._generated))

    def finish(self, reason: FinishReason) -> None:
        """Log the end, unless it has been logged."""
        self._write(Done(self._clock(), reason, self._generated))

    def fail(self, error: DemoError) -> None:
        """Log a failure as the end, unless an end has been logged."""
        self._write(Failed(self._clock(), error))

    def _write(self, *events: Event) -> None:
        # Two threads may come to write an end, the engine's and the one that closes it: nothing follows the first.
        with self._writing:
            if self._ended:
                return
            if isinstance(events[-1], Done | Failed):
                self._ended = True
                self._on_end(self)
            self._log(*events)

    def _name(self, id: int, logprob: float) -> Candidate:
        return Candidate(id, self._vocabulary.spell([id]), logprob, id in self._vocabulary.special_ids)

    def _read(self, id: int) -> tuple[str, FinishReason | None]:
        if id in self._vocabulary.eos_ids and not self.request.ignore_eos:
            return self._rest(), "eos_token"
        text, stopped = self._stops.feed(self._detokenizer.feed(id))
        if stopped:
            return text, "stop_sequence"
        if self._generated == self.request.max_new_tokens:
            return text + self._rest(), "length"
        return text, None

    def _rest(self) -> str:
        text, stopped = self._stops.feed(self._detokenizer.flush())
        return text if stopped else text + self._stops.flush()
