"""One decode step of a transformers model over a static cache, captured for a few sizes."""

import inspect
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import nullcontext
from typing import Any, TypeAlias

import torch
from torch import Tensor
from transformers import PreTrainedModel

from demo.engines.local.runners.transformers.cuda_graphs.capture import Capturer
from demo.engines.local.runners.transformers.cuda_graphs.grouped_attention import use_grouped_attention
from demo.engines.local.runners.transformers.cuda_graphs.static_kv import StaticCache
from demo.engines.local.runners.transformers.cuda_graphs.torch_private import mark_dynamic
from demo.engines.local.runners.transformers.forward import name_cache

FIRST_COLUMNS = 256

Backend: TypeAlias = str | Callable[..., Any]  # of torch.compile


class Step:
    """Appends one id to chosen slots: by the smallest captured size that holds them, or uncaptured beyond."""

    def __init__(self, network: PreTrainedModel, cache: StaticCache, backend: Backend | None = None) -> None:
        """`backend` of torch.compile fuses the many small operations of a layer; None leaves them as they are."""
        self.cache = cache
        self._dtype = network.dtype
        self._is_fused = backend is not None
        self._network = network
        self._forward = torch.compile(network, backend=backend, fullgraph=True) if backend else network
        self._cache_name = name_cache(network)
        self._options = {"logits_to_keep": 1} if _takes_logits_to_keep(network) else {}
        self._captured: dict[tuple[int, int], Callable[[], object]] = {}
        # Where every size leaves them, so that sampling is captured for the rows alone.
        self.logits = torch.zeros((cache.slots, _count_vocabulary(network)), device=network.device)

    def capture(self, capturer: Capturer, rows: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Capture it for so many slots, and any number of columns; names each size before it is captured."""
        for size in order_sizes(list_sizes(rows, self.cache)):
            yield size
            self._captured[size] = capturer.capture(self._bind(*size))

    def __call__(self, slots: Collection[int], ids: Tensor | None = None) -> Tensor:
        """Logits float32 [slots, vocabulary] by slot after one more token in each of `slots`, until the next call.

        `ids` are by slot; None appends what the slots were fed. Raises ValueError where one is longer than the cache.
        """
        self.cache.choose(frozenset(slots))
        rows, longest = max(slots) + 1, self.cache.longest + 1
        if longest > self.cache.columns:
            raise ValueError(f"a row of {longest} tokens does not fit into {self.cache.columns} columns")
        if ids is not None:
            self.cache.state.feed(ids)
        self._find(rows, longest)()
        self.cache.grow()
        return self.logits[:rows]

    def place(self, slot: int, logits: Tensor) -> None:
        """Put logits [vocabulary] after a prompt where the slot's first token is sampled from: after the call."""
        self.logits[slot] = logits

    def _find(self, rows: int, longest: int) -> Callable[[], object]:
        fitting = [size for size in self._captured if size[0] >= rows and size[1] >= longest]
        if not fitting:
            columns = min(size for size in list_columns(self.cache.columns) if size >= longest)
            return self._bind(rows, columns)
        return self._captured[min(fitting)]

    def _bind(self, rows: int, columns: int) -> Callable[[], object]:
        def compute() -> None:
            state = self.cache.state
            state.narrow(rows, columns)
            inputs = {
                "input_ids": state.ids[:, None],
                "position_ids": state.positions[:, None],
                "attention_mask": state.make_mask(self._dtype),
            }
            arguments = {**inputs, self._cache_name: self.cache, "use_cache": True, **self._options}
            if self._is_fused:
                mark_dynamic(*inputs.values(), state.rows, state.columns, state.positions)
            with use_grouped_attention(self._network) if self._is_fused else nullcontext():
                self.logits[:rows] = self._forward(**arguments).logits[:, -1]
            state.advance()

        return compute


def list_sizes(rows: Sequence[int], cache: StaticCache) -> list[tuple[int, int]]:
    """The (rows, columns) to capture: the numbers of rows asked for, none greater than the cache has slots."""
    counts = {min(count, cache.slots) for count in rows}
    return [(count, columns) for count in counts for columns in list_columns(cache.columns)]


def order_sizes(sizes: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The smallest first, to learn cheaply whether it can be captured; then from the largest down.

    So the smaller ones fit into the memory of the larger.
    """
    ordered = sorted(sizes)
    return ordered[:1] + ordered[:0:-1]


def list_columns(most: int) -> list[int]:
    """Powers of two up to `most`, and that: so that attention reads at most twice what is there."""
    columns = [most]
    while (half := FIRST_COLUMNS << (len(columns) - 1)) < most:
        columns.append(half)
    return sorted(columns)


def _takes_logits_to_keep(network: PreTrainedModel) -> bool:
    return "logits_to_keep" in inspect.signature(network.forward).parameters


def _count_vocabulary(network: PreTrainedModel) -> int:
    return len(network.get_output_embeddings().weight)
