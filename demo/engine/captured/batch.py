"""Rows over a static cache, each step launched as a whole."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from demo.engine.batch import AheadBatch, Chunks, Prefill
from demo.engine.captured.step import Step
from demo.engine.general.cache import RowsCache
from demo.engine.general.forward import Forward, NetworkPrefill
from demo.engine.transfer import send


class CapturedBatch(AheadBatch):
    """Prompts are read as on the general path, each into memory of its own, and copied to their row."""

    # A GPU reads hundreds of tokens in the time of one.
    chunks = Chunks(alone=2048, among_others=512)

    def __init__(self, forward: Forward, step: Step) -> None:
        self.room = step.cache.room
        self._forward = forward
        self._step = step
        self._cache = step.cache
        self._cache.clear()

    def begin(self, prompt: Sequence[int]) -> Prefill:
        return NetworkPrefill(self._forward, RowsCache(), prompt)

    def join(self, prefill: Prefill) -> None:
        read = cast(NetworkPrefill, prefill)
        self._cache.join(cast(RowsCache, read.cache).filled(), read.length)

    def leave(self, row: int) -> None:
        self._cache.leave(row)

    def step(self, ids: Sequence[int]) -> Tensor:
        return self._step(send(torch.tensor(ids), self._cache.window.positions.device))

    def follow(self, ids: Tensor) -> Tensor:
        return self._step(ids)
