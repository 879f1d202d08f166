"""A decode step of a transformers model over a static cache, captured for a few sizes."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import nullcontext
from typing import Any, TypeAlias

import torch
from torch import Tensor
from transformers import PreTrainedModel

from demo.engines.local.runners.transformers.cuda_graphs.capture import GraphCapturer
from demo.engines.local.runners.transformers.cuda_graphs.grouped_attention import use_grouped_attention
from demo.engines.local.runners.transformers.cuda_graphs.static_kv import StaticCache
from demo.engines.local.runners.transformers.cuda_graphs.torch_private import mark_dynamic
from demo.engines.local.runners.transformers.forward import Forward

FIRST_COLUMNS = 256

Backend: TypeAlias = str | Callable[..., Any]  # of torch.compile


class Step:
    """Appends one id to chosen slots, in the smallest captured size that fits, or uncaptured where none does."""

    def __init__(self, network: PreTrainedModel, cache: StaticCache, backend: Backend | None = None) -> None:
        """`backend` of torch.compile fuses a layer's small operations; None does not compile."""
        self.cache = cache
        self._dtype = network.dtype
        self._is_fused = backend is not None
        self._network = network
        self._forward = torch.compile(network, backend=backend, fullgraph=True) if backend else network
        forward = Forward(network)
        self._options: dict[str, Any] = {forward.cache_name: cache, "use_cache": True}
        self._options |= {"logits_to_keep": 1} if forward.takes_logits_to_keep else {}
        self._captured: dict[tuple[int, int], Callable[[], object]] = {}
        # All sizes write to the same logits, so that sampling is captured by the number of rows alone.
        vocabulary = len(network.get_output_embeddings().weight)
        self.logits = torch.zeros((cache.slots, vocabulary), device=network.device)

    def capture(self, capturer: GraphCapturer, rows: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Capture it for these numbers of slots, and all columns. Yields each size before it is captured."""
        for size in order_sizes(list_sizes(rows, self.cache)):
            yield size
            self._captured[size] = capturer.capture(self._bind(*size))

    def __call__(self, slots: Collection[int], ids: Tensor | None = None) -> Tensor:
        """Logits float32 [slots, vocabulary] by slot after one token more in `slots`; valid until the next call.

        `ids` are by slot; None appends those of `SlotState`. Raises ValueError where a sequence exceeds the cache.
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
        """Set the logits [vocabulary] from which a slot's next token is sampled, after the call of a step."""
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
            if self._is_fused:
                mark_dynamic(*inputs.values(), state.rows, state.columns, state.positions)
            with use_grouped_attention(self._network) if self._is_fused else nullcontext():
                self.logits[:rows] = self._forward(**inputs, **self._options).logits[:, -1]
            state.advance()

        return compute


def list_sizes(rows: Sequence[int], cache: StaticCache) -> list[tuple[int, int]]:
    """The (rows, columns) to capture: each of `rows`, limited to the cache's slots, with all columns."""
    counts = {min(count, cache.slots) for count in rows}
    return [(count, columns) for count in counts for columns in list_columns(cache.columns)]


def order_sizes(sizes: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The smallest first, which shows at low cost whether capture works; then from the largest down.

    In this order the smaller sizes fit into the memory of the larger ones.
    """
    ordered = sorted(sizes)
    return ordered[:1] + ordered[:0:-1]


def list_columns(most: int) -> list[int]:
    """Powers of two below `most`, and `most`: attention reads at most twice the columns in use."""
    columns = [most]
    while (half := FIRST_COLUMNS << (len(columns) - 1)) < most:
        columns.append(half)
    return sorted(columns)
