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
    """Each prompt is read into memory of its own, and copied to its row before the next one is read."""

    # A GPU reads hundreds of tokens in the time of one.
    chunks = Chunks(alone=2048, among_others=512)

    def __init__(self, reader: PromptReader, step: Step) -> None:
        self.room = step.cache.room
        self._reader = reader
        self._step = step
        self._cache = step.cache
        self._cache.clear()

    def begin(self, prompt: Sequence[int]) -> Prefill:
        return CapturedPrefill(self._reader, prompt)

    def join(self, prefill: Prefill) -> None:
        read = cast(CapturedPrefill, prefill)
        self._cache.join(cast(RowsCache, read.cache).filled(), read.length)

    def leave(self, row: int) -> None:
        self._cache.leave(row)

    def park(self, row: int, prefill: Prefill) -> None:
        read = cast(CapturedPrefill, prefill)
        read.length = self._cache.lengths[row]
        read.cache = self._cache.copy_row(row)
        self._cache.leave(row)

    def step(self, ids: Sequence[int]) -> Tensor:
        return self._step(send(torch.tensor(ids), self._cache.window.positions.device))

    def follow(self, ids: Tensor) -> Tensor:
        return self._step(ids)
