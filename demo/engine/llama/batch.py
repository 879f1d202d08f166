"""Rows of a Llama that get their next tokens together."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from demo.engine.batch import Batch, Chunks, Prefill
from demo.engine.llama.cache import Rows, append_one
from demo.engine.llama.network import Llama
from demo.engine.llama.prefill import LlamaPrefill, read_prompts


class LlamaBatch(Batch):
    """Rows over weights as they are stored."""

    chunks = Chunks(alone=160, among_others=4)  # of such work as reading a token alone: see `read_prompts`
    together = 8

    def __init__(self, network: Llama) -> None:
        self._network = network
        self._rows = Rows(network.shape)

    def begin(self, prompt: Sequence[int]) -> Prefill:
        return LlamaPrefill(self._network, prompt)

    def read(self, prefills: Sequence[Prefill], size: int) -> list[Tensor | None]:
        return read_prompts(cast(Sequence[LlamaPrefill], prefills), size)

    def join(self, prefill: Prefill) -> None:
        self._rows.join(cast(LlamaPrefill, prefill).rows)

    def leave(self, row: int) -> None:
        self._rows.leave(row)

    def step(self, ids: Sequence[int]) -> Tensor:
        at = append_one(self._rows, self._network)
        hidden = self._network.run(self._network.embed(torch.tensor(ids)), self._rows.memory, at)
        self._rows.lengths = [length + 1 for length in self._rows.lengths]
        return self._network.score(hidden)
