"""One step of a transformers model over a static cache, recorded beforehand for a few sizes."""

import inspect
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

from demo.engines.local.runners.transformers.cuda_graphs.capture import GraphCapturer
from demo.engines.local.runners.transformers.cuda_graphs.static_kv import StaticCache
from demo.engines.local.runners.transformers.forward import name_cache

FIRST_COLUMNS = 256


class Step:
    """Appends one id to every row: by the smallest recorded size that holds the rows, or unrecorded beyond."""

    def __init__(self, network: PreTrainedModel, cache: StaticCache, backend: str | None = None) -> None:
        """`backend` of torch.compile fuses the many small operations of a layer; None leaves them as they are."""
        self.cache = cache
        self._dtype = network.dtype
        self._is_fused = backend is not None
        self._forward = torch.compile(network, backend=backend, fullgraph=True) if backend else network
        self._ids = torch.zeros(cache.room, dtype=torch.long, device=network.device)
        self._cache_name = name_cache(network)
        self._options = {"logits_to_keep": 1} if _takes_logits_to_keep(network) else {}
        self._recorded: dict[tuple[int, int], Callable[[], Tensor]] = {}

    def record(self, recorder: GraphCapturer, rows: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Record it for so many rows at once, and any number of columns; names each size before it is recorded."""
        # From the largest down, so that the smaller ones fit into the memory of the larger.
        for size in sorted(list_sizes(rows, self.cache), reverse=True):
            yield size
            self._recorded[size] = recorder.record(self._bind(*size))

    def __call__(self, ids: Tensor) -> Tensor:
        """Logits [rows, vocabulary] after `ids` [rows], valid until the next call.

        Raises ValueError where a row is longer than the cache.
        """
        count, longest = len(ids), max(self.cache.lengths) + 1
        if longest > self.cache.columns:
            raise ValueError(f"a row of {longest} tokens does not fit into {self.cache.columns} columns")
        self._ids[:count] = ids
        logits = self._find(count, longest)()
        self.cache.grow()
        return logits[:count]

    def _find(self, count: int, longest: int) -> Callable[[], Tensor]:
        fitting = [size for size in self._recorded if size[0] >= count and size[1] >= longest]
        if not fitting:
            columns = min(size for size in list_columns(self.cache.columns) if size >= longest)
            return self._bind(count, columns)
        return self._recorded[min(fitting)]

    def _bind(self, rows: int, columns: int) -> Callable[[], Tensor]:
        def compute() -> Tensor:
            window = self.cache.window
            window.narrow(rows, columns)
            inputs = {
                "input_ids": self._ids[:rows, None],
                "position_ids": window.positions[:, None],
                "attention_mask": window.make_mask(self._dtype),
            }
            if self._is_fused:
                _vary(*inputs.values(), window.rows, window.columns, window.positions)
            remembered = {self._cache_name: self.cache, "use_cache": True}
            logits: Tensor = self._forward(**inputs, **remembered, **self._options).logits
            window.advance()
            return logits[:, -1]

        return compute


def list_sizes(rows: Sequence[int], cache: StaticCache) -> list[tuple[int, int]]:
    """The (rows, columns) to record: the numbers of rows asked for, none greater than the cache has room for."""
    counts = {min(count, cache.room) for count in rows}
    return [(count, columns) for count in counts for columns in list_columns(cache.columns)]


def list_columns(most: int) -> list[int]:
    """Powers of two up to `most`, and that: so that attention reads at most twice what is there."""
    columns = [most]
    while (half := FIRST_COLUMNS << (len(columns) - 1)) < most:
        columns.append(half)
    return sorted(columns)


def _vary(*tensors: Tensor) -> None:
    """Let torch.compile make one program for all sizes of these tensors, beside one for a single row."""
    for tensor in tensors:
        for dimension in range(tensor.dim()):
            torch._dynamo.maybe_mark_dynamic(tensor, dimension)


def _takes_logits_to_keep(network: PreTrainedModel) -> bool:
    return "logits_to_keep" in inspect.signature(network.forward).parameters
