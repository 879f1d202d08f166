"""Rows of any model that transformers runs: all in one pass where its memory allows, else one pass each."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.cache_utils import DynamicCache, get_layer_types_and_kwargs

from demo.engines.local.batch import Batch, Chunks, Prefill
from demo.engines.local.runners.transformers.forward import Forward, NetworkPrefill
from demo.engines.local.runners.transformers.padded_kv import RowsCache

CPU_CHUNKS = Chunks(alone=128)  # of the embedded model some 0.2 s: often enough to be seen to go on
SHAREABLE_LAYERS = {"full_attention", "sliding_attention", "chunked_attention"}


class SharedBatch(Batch):
    """All rows in one pass over one padded cache: for models that remember keys and values only."""

    def __init__(self, forward: Forward) -> None:
        self.chunks = CPU_CHUNKS if forward.device.type == "cpu" else Chunks()
        self._forward = forward
        self._cache = RowsCache()

    def begin(self, prompt: Sequence[int]) -> Prefill:
        return NetworkPrefill(self._forward, RowsCache(), prompt)

    def join(self, prefill: Prefill) -> None:
        read = cast(NetworkPrefill, prefill)
        self._cache.join(cast(RowsCache, read.cache), read.length)

    def leave(self, row: int) -> None:
        self._cache.leave(row)

    def park(self, row: int, prefill: Prefill) -> None:
        read = cast(NetworkPrefill, prefill)
        read.cache, read.length = self._cache.park(row)

    def step(self, ids: Sequence[int]) -> Tensor:
        column = torch.tensor(ids)[:, None]
        logits = self._forward(column, self._cache, self._cache.lengths, self._cache.padding_mask(new=1))
        self._cache.grow(1)
        return logits


class SeparateBatch(Batch):
    """One pass a row, each over the model's own kind of cache: for recurrent and hybrid models."""

    def __init__(self, forward: Forward, network: PreTrainedModel) -> None:
        self._forward = forward
        self._config = network.config
        self._rows: list[NetworkPrefill] = []

    def begin(self, prompt: Sequence[int]) -> Prefill:
        return NetworkPrefill(self._forward, DynamicCache(config=self._config), prompt, whole=True)

    def join(self, prefill: Prefill) -> None:
        self._rows.append(cast(NetworkPrefill, prefill))

    def leave(self, row: int) -> None:
        last = self._rows.pop()
        if row < len(self._rows):
            self._rows[row] = last

    def park(self, row: int, prefill: Prefill) -> None:
        self.leave(row)  # `prefill` is the row

    def step(self, ids: Sequence[int]) -> Tensor:
        return torch.cat([self._step_row(row, id) for row, id in zip(self._rows, ids, strict=True)])

    def _step_row(self, row: NetworkPrefill, id: int) -> Tensor:
        logits = self._forward(torch.tensor([[id]]), row.cache, [row.length])
        row.length += 1
        return logits


def make_batch(network: PreTrainedModel) -> Batch:
    """An empty batch, of the fastest kind that the model's layers allow."""
    layer_types, _ = get_layer_types_and_kwargs(network.config.get_text_config(decoder=True))
    forward = Forward(network)
    return SharedBatch(forward) if SHAREABLE_LAYERS.issuperset(layer_types) else SeparateBatch(forward, network)
