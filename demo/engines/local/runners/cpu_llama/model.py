"""The Llama architecture (arXiv:2302.13971) over kernels: ids in, logits out.

Heads come interleaved for rotation: dimensions 2i and 2i + 1 are one complex number, as in the paper on rotary
embeddings (arXiv:2104.09864) and in GGUF files; transformers' checkpoints are rearranged when they are loaded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Protocol, cast

import numpy as np
import torch
from torch import Tensor

from demo.engines.local.runner import Chunk
from demo.engines.local.runners.cpu_llama.forward_batch import ForwardBatch
from demo.engines.local.runners.cpu_llama.kernels.forward import HEAD, LAYER
from demo.engines.local.runners.cpu_llama.kv_pages import KVCache
from demo.engines.local.runners.cpu_llama.shape import Shape
from demo.engines.local.runners.cpu_llama.thread_pool import ThreadPool
from demo.engines.local.runners.cpu_llama.weights.matrix import Matrix


class Table(Protocol):
    """A matrix [vocabulary, hidden] of which single rows are read."""

    def rows(self, ids: Tensor) -> Tensor:
        """float32 [ids, hidden]."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One block's weights, in the order of the kernels' LAYER."""

    attention_norm: Tensor  # float32 [hidden], as the other
    mlp_norm: Tensor
    q: Matrix
    k: Matrix
    v: Matrix
    out: Matrix
    gate: Matrix
    up: Matrix
    down: Matrix

    def describe(self) -> tuple[Any, ...]:
        """The same as a LAYER of the kernels'; it holds while this lives."""
        matrices = (self.q, self.k, self.v, self.out, self.gate, self.up, self.down)
        norms = (self.attention_norm.data_ptr(), self.mlp_norm.data_ptr())
        return (*norms, *(matrix.describe() for matrix in matrices))


class Llama:
    """A network. What it remembers is the caller's."""

    def __init__(
        self, shape: Shape, table: Table, layers: Sequence[Layer], norm: Tensor, head: Matrix, frequencies: Tensor
    ) -> None:
        """`norm` float32 [hidden] before the head; `frequencies` float32 [head size / 2], radians a position."""
        self.shape = shape
        self._table = table
        self._thread_pool = ThreadPool(
            np.array([layer.describe() for layer in layers], LAYER),
            np.array([(norm.data_ptr(), head.describe())], HEAD),
            (layers, norm, head),
            torch.get_num_threads(),
        )
        self._frequencies = frequencies.double().numpy()

    def compute(self, chunks: Sequence[Chunk]) -> Tensor:
        """Logits float32 [rows, vocabulary] that the chunks ask for, in their order; their caches have the tokens then.

        What a token gets depends on nothing but those before it in its sequence: not on how these came, on other
        sequences, or on threads, to the last bit.
        """
        ids = torch.tensor([id for chunk in chunks for id in chunk.ids])
        batch = ForwardBatch(self.shape, chunks, self._table.rows(ids), _find_scored(chunks), self._thread_pool.threads)
        batch.set_rotations(self._frequencies)
        self._thread_pool.run(batch)
        for chunk in chunks:
            cast(KVCache, chunk.handle).extend(chunk.ids)
        return torch.from_numpy(batch.logits)


def _find_scored(chunks: Sequence[Chunk]) -> list[int]:
    """The tokens, counted through all chunks, after which logits are asked for."""
    ends = accumulate(chunk.tokens for chunk in chunks)
    return [token for chunk, end in zip(chunks, ends, strict=True) for token in range(end - chunk.rows, end)]
