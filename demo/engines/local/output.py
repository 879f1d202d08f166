"""Writes the events of one request to its log. Knows no tensor."""

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from demo.engine import Log
from demo.engines.held_tokens import HeldTokens
from demo.engines.local.detokenizer import Decode, Detokenizer, Spell
from demo.engines.local.reasoning_start import ReasoningFormat, find_reasoning_start
from demo.engines.stop_strings import Match
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
from demo.repetition import find_period
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
    """From ids to text and roles. `decode` omits `control_tokens`; `spell` is of one token by itself.

    `reasoning` is how the model marks its reasoning; None where its chat template knows of none.
    """

    decode: Decode
    spell: Spell
    special_ids: frozenset[int]
    eos_ids: frozenset[int]
    control_tokens: frozenset[str] = frozenset()
    reasoning: ReasoningFormat | None = None


class Output:
    """Writes the log of `request`. Exactly one final event is written, and nothing after it, from any thread.

    A token is logged when it is decided whether a stop string begins in it, with the time when it was sampled.
    """

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
        self._held = HeldTokens(request.stop, vocabulary.control_tokens, request.keeps_stop) if request.stop else None
        self._reported = -math.inf  # when progress was last logged
        self._ids: list[int] = []  # generated, where a loop would end the answer
        self._told = (-math.inf, -1)  # when a place in the queue was last logged, and which
        self._writing = threading.Lock()

    def start(self, seed: int, cached_tokens: int) -> None:
        """Log that the prompt is being read, without its first `cached_tokens`."""
        self.started = True
        vocabulary = self._vocabulary
        reasoning = find_reasoning_start(vocabulary.reasoning, self._request.prompt, self._prompt, vocabulary.spell)
        self._write(Started(self._clock(), len(self._prompt), seed, cached_tokens, self._prompt, reasoning))

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
        self._write(PromptRead(self._clock(), tuple(self._name_prompt(id, logprob) for id, logprob in scored)))

    def accept(self, sampled: SampledToken) -> float:
        """Take a sampled token, and the end if it is the last. Returns the time of the events."""
        now = self._clock()
        self.generated += 1
        with self._writing:  # also while tokens move: the thread that closes the engine flushes them
            if not self.ended:
                self._append(*self._read(sampled, now))
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
            if not self.ended:
                self._append(*events)

    def _append(self, *events: Event) -> None:
        if events and isinstance(events[-1], Done | Failed):
            self.ended = True
            self.reason = events[-1].finish_reason if isinstance(events[-1], Done) else None
            events = (*self._flush(), *events)
            self._on_end()
            del self._on_end  # it refers to the sequence, which refers to this
        if events:
            self._log(*events)

    def _read(self, sampled: SampledToken, now: float) -> Sequence[Event]:
        """The tokens that are decided with the sampled one, and the end."""
        was_inside = self._detokenizer.is_inside
        is_eos = sampled.id in self._vocabulary.eos_ids and not self._request.ignore_eos
        is_loop = not is_eos and self._ends_in_loop(sampled.id)
        is_last = is_eos or is_loop or self.generated == self._request.max_new_tokens
        text = "" if is_eos else self._detokenizer.feed(sampled.id)
        is_inside = self._detokenizer.is_inside
        if is_last:
            text += self._detokenizer.flush()
        token = self._make_token(sampled, now, text, was_inside or is_inside)
        is_omitted = token.own is not None and not token.encode() and not is_eos
        spelled = token.candidate.text if is_omitted else text
        tokens, match = self._hold(token, spelled, is_inside and not is_last)
        if match or is_last:
            reason: FinishReason = "eos_token" if is_eos else "repetition" if is_loop else "length"
            end = Done(now, "stop_sequence" if match else reason, self.generated, match and match.stop)
            return *tokens, *self._flush(), end
        return tokens

    def _ends_in_loop(self, id: int) -> bool:
        if not self._request.ends_loops:
            return False
        self._ids.append(id)
        return find_period(self._ids) is not None

    def _make_token(self, sampled: SampledToken, now: float, text: str, is_part: bool) -> Token:
        """The token; `is_part`: it begins or ends inside a character."""
        id, logprob = sampled.id, sampled.logprob
        special = id in self._vocabulary.special_ids
        top = tuple(self._name(*each) for each in sampled.top)
        if text and not is_part:
            return Token(now, self.generated, id, text, logprob, special, top)
        own = self._name(id, logprob)
        encoded = self._find_bytes(id, own) if is_part else None
        return Token(now, self.generated, id, text, logprob, special, top, encoded, own)

    def _find_bytes(self, id: int, own: Candidate) -> bytes:
        """A token's bytes of the answer's text, which has none of the special tokens."""
        # Twice, since a tokenizer may strip a leading space.
        return own.encode() if self._vocabulary.decode([id, id]) else b""

    def _name(self, id: int, logprob: float) -> Candidate:
        spelling = self._vocabulary.spell(id)
        return Candidate(id, spelling.text, logprob, id in self._vocabulary.special_ids, spelling.encoded)

    def _name_prompt(self, id: int, logprob: float | None) -> PromptToken:
        spelling = self._vocabulary.spell(id)
        return PromptToken(id, spelling.text, logprob, spelling.encoded)

    def _hold(self, token: Token, spelled: str, is_inside: bool) -> tuple[Sequence[Token], Match | None]:
        return ((token,), None) if self._held is None else self._held.feed(token, spelled, is_inside)

    def _flush(self) -> Sequence[Token]:
        return () if self._held is None else self._held.flush()
