"""The sequences that get their next tokens together: rows that join and leave between steps. A protocol."""

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor


class Prefill(Protocol):
    """One prompt on its way into the memory of a batch."""

    logprobs: list[float]  # of each token of the prompt but the first, by `score`

    def read(self, size: int) -> Tensor | None:
        """Read about `size` more tokens. The logits [vocabulary] after the last one, None before."""

    def score(self) -> Tensor | None:
        """`read` a few tokens, and note how likely each one after the first was."""


class Batch(Protocol):
    """Rows are numbered in joining order; where one leaves, the last takes its number."""

    def begin(self, prompt: Sequence[int]) -> Prefill:
        """Start to read a prompt that will join."""

    def join(self, prefill: Prefill) -> None:
        """Add a sequence whose prompt has been read as the last row."""

    def leave(self, row: int) -> None:
        """Remove a row; the last takes its place."""

    def step(self, ids: Sequence[int]) -> Tensor:
        """Append one id to every row. The logits after it: [rows, vocabulary]."""
