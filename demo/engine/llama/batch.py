"""Rows of a Llama that get their next tokens together, and the reading of their prompts."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from demo.engine.batch import Batch, Prefill
from demo.engine.llama.cache import Rows, append_one, append_several
from demo.engine.llama.linear import FEW
from demo.engine.llama.network import Llama

BLOCK = 128  # tokens of a prompt that go through the layers together


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
        at = append_one(self._rows, self._network)
        hidden = self._network.run(self._network.embed(torch.tensor(ids)), self._rows.memory, at)
        self._rows.lengths = [length + 1 for length in self._rows.lengths]
        return self._network.score(hidden)


class LlamaPrefill(Prefill):
    """One prompt, read into a row of its own: block by block, and each block as many layers at a time as asked.

    The prompt alone decides how it is blocked, so that its neighbours, for whose sake it is read in small pieces,
    never change what it gives.
    """

    def __init__(self, network: Llama, prompt: Sequence[int]) -> None:
        self.rows = Rows(network.shape)
        self.rows.lengths = [0]
        self.logprobs: list[float] = []
        self._network = network
        self._prompt = torch.tensor(prompt)
        self._layer = network.shape.layers  # up to which the block has been read
        self._hidden = torch.empty(0)

    def read(self, size: int) -> Tensor | None:
        work = size * self._network.shape.layers  # of one token in one layer each
        while work > 0 and self._left:
            work -= self._advance(work)
        return None if self._left else self._network.score(self._hidden[-1:])[0]

    def score(self) -> Tensor | None:
        self._advance(BLOCK * self._network.shape.layers)
        logits = self._network.score(self._hidden)
        followers = self._prompt[len(self.logprobs) + 1 : self.rows.lengths[0] + 1]
        logprobs = logits[: len(followers)].log_softmax(dim=-1)
        self.logprobs += logprobs.gather(1, followers[:, None])[:, 0].tolist()
        return None if self._left else logits[-1]

    @property
    def _left(self) -> int:
        return len(self._prompt) - self.rows.lengths[0]

    def _advance(self, work: int) -> int:
        """Take a block through one layer, or as many as `work` allows. Returns the work done."""
        layers = self._network.shape.layers
        if self._layer == layers:
            self._start_block()
        tokens, first = len(self._hidden), self._layer
        self._layer = min(layers, first + max(1, work // tokens))
        many = tokens > FEW
        self._hidden = self._network.run(self._hidden, self.rows.memory, self._at, many, first, self._layer)
        if self._layer == layers:
            self.rows.lengths = [self.rows.lengths[0] + tokens]
        return (self._layer - first) * tokens

    def _start_block(self) -> None:
        first = self.rows.lengths[0]
        ids = self._prompt[first : first + BLOCK]
        self._at = append_several(self.rows, len(ids), self._network)
        self._hidden = self._network.embed(ids)
        self._layer = 0
