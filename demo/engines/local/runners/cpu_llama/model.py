"""The Llama architecture (arXiv:2302.13971) over kernels: ids in, logits out.

Heads come interleaved for rotation: dimensions 2i and 2i + 1 are one complex number, as in the paper on rotary
embeddings (arXiv:2104.09864) and in GGUF files; transformers' checkpoints are rearranged when they are loaded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from demo.engines.local.runners.cpu_llama.forward_batch import Chunk, ForwardBatch
from demo.engines.local.runners.cpu_llama.kernels.forward import HEAD, LAYER
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

    def read(self, stretches: Sequence[Chunk], scored: Sequence[int]) -> Tensor:
        """Logits float32 [scored, vocabulary] after those of the tokens, which are counted through all stretches.

        The stretches' memories have the tokens afterwards. What a token gets depends on nothing but those before it
        in its sequence: not on how these came, on other sequences, or on threads, to the last bit.
        """
        ids = torch.tensor([id for stretch in stretches for id in stretch.ids])
        batch = ForwardBatch(self.shape, stretches, self._table.rows(ids), scored, self._thread_pool.threads)
        batch.set_rotations(self._frequencies)
        self._thread_pool.run(batch)
        for stretch in stretches:
            stretch.memory.length += len(stretch.ids)
        return torch.from_numpy(batch.logits)
