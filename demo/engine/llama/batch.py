"""Rows of a Llama that get their next tokens together."""

from collections.abc import Sequence
from typing import cast

from torch import Tensor

from demo.engine.batch import Batch, Chunks, Prefill
from demo.engine.llama.cache import Memory
from demo.engine.llama.network import Llama
from demo.engine.llama.passing import Stretch
from demo.engine.llama.prefill import TOGETHER, LlamaPrefill, read_prompts


class LlamaBatch(Batch):
    """Rows over weights as they are stored."""

    # A token of a prompt costs half of a row's, and four share the unpacking of weights.
    chunks = Chunks(alone=TOGETHER, among_others=0, each_row=2, unit=4)
    together = 8

    def __init__(self, network: Llama) -> None:
        self._network = network
        self._rows: list[Memory] = []

    def begin(self, prompt: Sequence[int]) -> Prefill:
        return LlamaPrefill(self._network, prompt)

    def read(self, prefills: Sequence[Prefill], size: int) -> list[Tensor | None]:
        return read_prompts(self._network, cast(Sequence[LlamaPrefill], prefills), size)

    def join(self, prefill: Prefill) -> None:
        self._rows.append(cast(LlamaPrefill, prefill).memory)

    def leave(self, row: int) -> None:
        last = self._rows.pop()
        if row < len(self._rows):
            self._rows[row] = last

    def step(self, ids: Sequence[int]) -> Tensor:
        stretches = [Stretch(memory, [id]) for memory, id in zip(self._rows, ids, strict=True)]
        return self._network.read(stretches, range(len(ids)))
