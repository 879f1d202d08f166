"""Rows of a Llama that get their next tokens together, few of them in one pass with what is read of prompts."""

from collections.abc import Sequence
from typing import cast

from torch import Tensor

from demo.engines.local.batch import Batch, Chunks, Prefill
from demo.engines.local.runners.cpu_llama.forward_batch import Chunk
from demo.engines.local.runners.cpu_llama.kv_pages import KVCache
from demo.engines.local.runners.cpu_llama.model import Llama
from demo.engines.local.runners.cpu_llama.prefill import TOGETHER, LlamaPrefill, read_beside, read_prompts

MANY = 8  # rows, whose work would hold up a first token more than another fetch of the weights does


class LlamaBatch(Batch):
    """Rows over weights as they are stored."""

    # A token of a prompt costs half of a row's, so that a step takes half as long again; four share the unpacking.
    chunks = Chunks(alone=TOGETHER, among_others=0, each_row=1, many=MANY, unit=4)
    together = 8

    def __init__(self, network: Llama) -> None:
        self._network = network
        self._rows: list[KVCache] = []
        self._planned: tuple[Sequence[LlamaPrefill], int] = ((), 0)  # what to read with the next step

    def begin(self, prompt: Sequence[int]) -> Prefill:
        return LlamaPrefill(self._network, prompt)

    def read(self, prefills: Sequence[Prefill], size: int) -> list[Tensor | None]:
        """Beside a few rows, what the last step has read; the next one goes on."""
        prompts = cast(Sequence[LlamaPrefill], prefills)
        unread = [prompt for prompt in prompts if prompt.left]
        beside = 0 < len(self._rows) < MANY
        self._planned = (unread, size) if beside else ((), 0)
        if not beside and len(unread) == len(prompts):
            read_prompts(self._network, prompts, size)
        return [prompt.take() for prompt in prompts]

    def join(self, prefill: Prefill) -> None:
        self._rows.append(cast(LlamaPrefill, prefill).memory)

    def leave(self, row: int) -> None:
        last = self._rows.pop()
        if row < len(self._rows):
            self._rows[row] = last

    def park(self, row: int, prefill: Prefill) -> None:
        self.leave(row)  # its memory is the prompt's own, gone on with

    def step(self, ids: Sequence[int]) -> Tensor:
        rows = [Chunk(memory, [id]) for memory, id in zip(self._rows, ids, strict=True)]
        (prompts, size), self._planned = self._planned, ((), 0)
        return read_beside(self._network, rows, prompts, size)
