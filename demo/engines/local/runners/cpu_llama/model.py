"""The Llama architecture (arXiv:2302.13971) over kernels: ids in, logits out.

Heads come interleaved for rotation: dimensions 2i and 2i + 1 are one complex number, as in the paper on rotary
embeddings (arXiv:2104.09864) and in GGUF files; transformers' checkpoints are rearranged when they are loaded.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from demo.engines.local.runner import Chunk
from demo.engines.local.runners.cpu_llama.forward_batch import ForwardBatch
from demo.engines.local.runners.cpu_llama.kernels.forward import CHOICES, HEAD, LAYER, MATRICES, NORMS
from demo.engines.local.runners.cpu_llama.kv_pages import KVCache
from demo.engines.local.runners.cpu_llama.shape import Shape
from demo.engines.local.runners.cpu_llama.thread_pool import ThreadPool
from demo.engines.local.runners.cpu_llama.weights.matrix import Matrix


@dataclass(frozen=True, slots=True)
class Layer:
    """One block's weights, by the names of the kernels' LAYER. Norms are float32, those of a head [head size]."""

    norms: Mapping[str, Tensor]
    matrices: Mapping[str, Matrix]
    rotation: int  # the number of its frequencies
    window: int  # tokens that are seen, itself among them; 0: all before it
    activation: int  # SILU or GELU

    def describe(self) -> tuple[Any, ...]:
        """The same as a LAYER of the kernels': addresses that are valid while this object exists."""
        norms = (self.norms[name].data_ptr() if name in self.norms else 0 for name in NORMS)
        choices = (getattr(self, name) for name in CHOICES)
        return *norms, *choices, *(self.matrices[name].describe() for name in MATRICES)


class Llama:
    """A network without its KV cache, which the caller owns."""

    def __init__(
        self,
        shape: Shape,
        embed: Callable[[Tensor], Tensor],
        layers: Sequence[Layer],
        norm: Tensor,
        head: Matrix,
        frequencies: Tensor,
        scale: float,
    ) -> None:
        """`norm` is float32 [hidden], before the head; `frequencies` and `scale` are those of rotary embeddings."""
        self.shape = shape
        self._embed = embed
        self._thread_pool = ThreadPool(
            np.array([layer.describe() for layer in layers], LAYER),
            np.array([(norm.data_ptr(), head.describe())], HEAD),
            (layers, norm, head),
            torch.get_num_threads(),
        )
        self._frequencies, self._scale = frequencies.double().numpy(), scale

    def compute(self, chunks: Sequence[Chunk]) -> Tensor:
        """Logits float32 [rows, vocabulary] that the chunks ask for, in their order. The caches gain the tokens.

        A token's logits are bit-identical however its prompt is split, whatever the other chunks are, and with any
        number of threads.
        """
        ids = torch.tensor([id for chunk in chunks for id in chunk.ids])
        ends = accumulate(chunk.tokens for chunk in chunks)
        scored = [token for chunk, end in zip(chunks, ends, strict=True) for token in range(end - chunk.rows, end)]
        batch = ForwardBatch(self.shape, chunks, self._embed(ids), scored, self._thread_pool.threads)
        batch.set_rotations(self._frequencies, self._scale)
        self._thread_pool.run(batch)
        for chunk in chunks:
            cast(KVCache, chunk.handle).extend(chunk.ids)
        return torch.from_numpy(batch.logits)
