"""Rows over a static cache, each step launched as a whole."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from demo.engines.local.async_copy import send
from demo.engines.local.batch import AheadBatch, Chunks, Prefill
from demo.engines.local.runners.transformers.cuda_graphs.decode import Step
from demo.engines.local.runners.transformers.cuda_graphs.prefill import CapturedPrefill, PromptReader
from demo.engines.local.runners.transformers.padded_kv import RowsCache


class CapturedBatch(AheadBatch):
    """Each prompt is read into memory of its own, and copied to its slot before the next one is read."""

    # A GPU reads hundreds of tokens in the time of one.
    chunks = Chunks(alone=2048, among_others=512)

    def __init__(self, reader: PromptReader, step: Step) -> None:
        self.room = step.cache.slots
        self._reader = reader
        self._step = step
        self._cache = step.cache
        self._cache.clear()
        self._slots: list[int] = []  # of each row

    def begin(self, prompt: Sequence[int]) -> Prefill:
        return CapturedPrefill(self._reader, prompt)

    def join(self, prefill: Prefill) -> None:
        read = cast(CapturedPrefill, prefill)
        self._slots.append(self._cache.join(cast(RowsCache, read.cache).filled(), read.length))

    def leave(self, row: int) -> None:
        self._cache.leave(self._slots[row])
        last = self._slots.pop()
        if row < len(self._slots):
            self._slots[row] = last

    def park(self, row: int, prefill: Prefill) -> None:
        read, slot = cast(CapturedPrefill, prefill), self._slots[row]
        read.length = self._cache.lengths[slot]
        read.cache = self._cache.copy_row(slot)
        self.leave(row)

    def step(self, ids: Sequence[int]) -> Tensor:
        return self._append(send(torch.tensor(ids), self._cache.state.positions.device))

    def follow(self, ids: Tensor) -> Tensor:
        return self._append(ids)

    def _append(self, ids: Tensor) -> Tensor:
        slots = send(torch.tensor(self._slots), ids.device)
        by_slot = ids.new_zeros(self._cache.slots).index_copy(0, slots, ids)
        return self._step(self._slots, by_slot)[slots]
