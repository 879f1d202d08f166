"""Rows of a Llama that get their next tokens together, and the reading of their prompts."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from demo.engine.batch import Batch, Prefill
from demo.engine.llama.cache import OneMore, Rows, Several
from demo.engine.llama.network import Llama

SHORT_PROMPT = 64  # tokens up to which a prompt is read as rows are; beyond, weights are unpacked for
BLOCK = 128  # this many at once: the prompt alone decides, so that its neighbours never change what it gives


class LlamaBatch(Batch):
    """Rows over packed weights."""

    def __init__(self, network: Llama) -> None:
        self._network = network
        self._rows = Rows(network.shape)

    def begin(self, prompt: Sequence[int]) -> Prefill:
        return LlamaPrefill(self._network, prompt)

    def join(self, prefill: Prefill) -> None:
        self._rows.join(cast(LlamaPrefill, prefill).rows)

    def leave(self, row: int) -> None:
        self._rows.leave(row)

    def step(self, ids: Sequence[int]) -> Tensor:
        attend = OneMore(self._rows)
        hidden = self._network.run(torch.tensor(ids), attend.positions, attend)
        self._rows.lengths = [length + 1 for length in self._rows.lengths]
        return self._network.score(hidden)


class LlamaPrefill(Prefill):
    """One prompt, read into rows of its own: a short one as rows are, a long one in blocks."""

    def __init__(self, network: Llama, prompt: Sequence[int]) -> None:
        self.rows = Rows(network.shape)
        self.rows.lengths = [0]
        self.logprobs: list[float] = []
        self._network = network
        self._prompt = torch.tensor(prompt)
        self._is_long = len(prompt) > SHORT_PROMPT

    def read(self, size: int) -> Tensor | None:
        hidden = self._advance(size)
        while self._is_long and self._left and (size := size - BLOCK) > 0:
            hidden = self._advance(size)
        return None if self._left else self._network.score(hidden[-1:])[0]

    def score(self) -> Tensor | None:
        logits = self._network.score(self._advance(BLOCK))
        followers = self._prompt[len(self.logprobs) + 1 : self.rows.lengths[0] + 1]
        logprobs = logits[: len(followers)].log_softmax(dim=-1)
        self.logprobs += logprobs.gather(1, followers[:, None])[:, 0].tolist()
        return None if self._left else logits[-1]

    @property
    def _left(self) -> int:
        return len(self._prompt) - self.rows.lengths[0]

    def _advance(self, size: int) -> Tensor:
        """Hidden states after the next tokens: one block of a long prompt, or `size` of a short one."""
        first = self.rows.lengths[0]
        ids = self._prompt[first : first + (BLOCK if self._is_long else size)]
        attend = Several(self.rows, len(ids))
        hidden = self._network.run(ids, attend.positions, attend, many=self._is_long)
        self.rows.lengths = [first + len(ids)]
        return hidden
