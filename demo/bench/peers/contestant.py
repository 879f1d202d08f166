"""A contestant: somebody who answers questions, and each answer as whoever asked saw it. Knows nobody in particular."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from demo.bench.software import UNKNOWN

Messages = tuple[dict[str, str], ...]


@dataclass(frozen=True, slots=True)
class Question:
    """A conversation to go on with, greedily, by `new_tokens` tokens."""

    messages: Messages
    new_tokens: int


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. All times in seconds of this machine's monotonic clock.

    `times` are those at which pieces of text arrived; `tokens` is what the contestant says it generated, where it says
    so, else the number of pieces.
    """

    asked: float
    times: tuple[float, ...]
    tokens: int
    text: str
    prompt_tokens: int | None = None

    @property
    def ttft(self) -> float:
        return self.times[0] - self.asked

    @property
    def gaps(self) -> tuple[float, ...]:
        return tuple(later - earlier for earlier, later in zip(self.times, self.times[1:], strict=False))


@dataclass(frozen=True, slots=True)
class Identity:
    """A contestant's name, and the form of its weights, of which `weight_bytes` are read for each token, where known.

    `together`: whether it answers several at once; `is_ours`: whether the others are compared with it. `keeps`: what it
    reuses of earlier prompts, and what is done about it.
    """

    name: str
    version: str
    weights: str
    weight_bytes: int | None
    way: str
    together: bool = True
    is_ours: bool = False
    keeps: str = UNKNOWN.keeps

    @property
    def peer(self) -> str:
        """Its name without the form of its weights: the same for both forms of one peer."""
        return self.name.removesuffix(f" {self.weights}")


class Contestant(Protocol):
    """Somebody who answers. The methods raise Unmeasured, in a sentence, where it fails."""

    @property
    def identity(self) -> Identity:
        """Who it is."""

    def ask(self, questions: Sequence[Question], apart: float = 0.0) -> list[Answer]:
        """The answers to questions asked `apart` seconds after each other, 0 for all at once."""

    def pause(self) -> None:
        """Use no processor until `resume`."""

    def resume(self) -> None:
        """Be ready to be asked."""

    def read_memory(self) -> int | None:
        """Its resident bytes; None where they can't be known."""

    def read_peak(self) -> int | None:
        """The most that they were since this was last asked, or, where the system does not count anew, ever."""
