"""The sequences that get their next tokens together: rows that join and leave between steps. A protocol."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Chunks:
    """How many tokens of a prompt are read at a time."""

    alone: int = 512  # bounds how late a cancel is noticed
    among_others: int = 8  # and so many more
    each_row: int = 1  # for each row: about as long as the step that the rows wait for anyway
    many: int | None = None  # rows: among as many it is twice that, since their steps make a newcomer wait longer
    of_many: int = 40  # at most, where many wait
    unit: int = 1  # that costs no more than a part of it: chunks beside rows are whole multiples

    def choose(self, rows: int, prompts: int = 1, parked: int = 0) -> int:
        """The size beside so many rows. Each prompt that waits holds up those behind it: the more, the larger.

        Rows that are parked share no pass with it and soon want one of their own: no more than a short one goes first.
        """
        if not rows:
            return min(self.alone, max(self.among_others, self.of_many)) if parked else self.alone
        each_row = self.each_row if self.many is None or rows < self.many else 2 * self.each_row
        size = -(-(self.among_others + each_row * rows) // self.unit) * self.unit
        return max(size, min(size * prompts, self.of_many))


class Prefill(Protocol):
    """One prompt on its way into the memory of a batch."""

    logprobs: list[float]  # of each token of the prompt but the first, by `score`

    @property
    def length(self) -> int:
        """Tokens that have been read."""

    def read(self, size: int) -> Tensor | None:
        """Read about `size` more tokens. The logits [vocabulary] after the last one, None before."""

    def score(self) -> Tensor | None:
        """`read` a few tokens, and note how likely each one after the first was."""


class Batch(Protocol):
    """Rows are numbered in joining order; where one leaves, the last takes its number."""

    chunks: Chunks = Chunks()
    room: int | None = None  # rows at most; None where memory alone bounds them
    together: int = 1  # prompts that are read together at most

    def begin(self, prompt: Sequence[int]) -> Prefill:
        """Start to read a prompt that will join."""

    def read(self, prefills: Sequence[Prefill], size: int) -> list[Tensor | None]:
        """Read about `size` more tokens of up to `together` prompts: for each what its own `read` returns.

        Beside rows that may happen in the next step, and be returned after it.
        """
        return [prefill.read(size) for prefill in prefills]

    def join(self, prefill: Prefill) -> None:
        """Add a sequence whose prompt has been read as the last row."""

    def leave(self, row: int) -> None:
        """Remove a row; the last takes its place."""

    def park(self, row: int, prefill: Prefill) -> None:
        """Remove a row as `leave` does, and put what is remembered of it into `prefill`, which may join again."""

    def step(self, ids: Sequence[int]) -> Tensor:
        """Append one id to every row. The logits after it: [rows, vocabulary]."""


@runtime_checkable
class AheadBatch(Batch, Protocol):
    """A batch on a device that works on its own: a step can be launched before the last one's ids are known here."""

    def follow(self, ids: Tensor) -> Tensor:
        """`step` with ids [rows] that are on the device. Returns at once."""
