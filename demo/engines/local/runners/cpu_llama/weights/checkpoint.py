"""A Llama's shape and weights, whatever file holds them, and the network that is built from them.

Weights are named as in GGUF files.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import torch
from torch import Tensor

from demo.engines.local.runners.cpu_llama.kernels.activations import GROUP
from demo.engines.local.runners.cpu_llama.model import Layer, Llama
from demo.engines.local.runners.cpu_llama.shape import Shape
from demo.engines.local.runners.cpu_llama.weights.matrix import Matrix

MATRICES = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")  # in the order of a Layer


class Checkpoint(Protocol):
    """Reads each weight when it is asked for."""

    @property
    def shape(self) -> Shape:
        """Raises KeyError with the name of a number that the file does not hold."""

    @property
    def is_plain(self) -> bool:
        """Whether most matrices have 16 or 32 bits per number."""

    def find_unsupported_reason(self) -> str:
        """Why `build_llama` cannot build this model, or this machine cannot run it; empty where both can."""

    def tensor_name(self, name: str) -> str:
        """The name of a weight in the file itself."""

    def tensor_shape(self, name: str) -> tuple[int, ...] | None:
        """The shape of a weight; None where the file has none of that name."""

    def read(self, name: str) -> Tensor:
        """A weight in float32."""

    def embed(self, name: str) -> Callable[[Tensor], Tensor]:
        """From ids [tokens] to rows of a matrix, float32 [tokens, columns]. The matrix stays in the file."""

    def pack(self, name: str, rounded: bool = False) -> Matrix:
        """A matrix in the quantization type in which it is stored, or in the nearest that the kernels support.

        With `rounded`, one of 16 or 32 bits per number is rounded to 8.
        """

    def frequencies(self) -> Tensor:
        """Rotary frequencies, float32 [head size / 2], in radians per position."""


def find_head(checkpoint: Checkpoint) -> str:
    """The name of the head's weight: the embedding's, where they are tied."""
    return "token_embd.weight" if checkpoint.tensor_shape("output.weight") is None else "output.weight"


def can_round(checkpoint: Checkpoint) -> bool:
    """Whether the rows of a checkpoint's matrices can be rounded in whole groups, and most of them have more bits."""
    shape = checkpoint.shape
    return checkpoint.is_plain and not any(
        columns % GROUP for columns in (shape.hidden, shape.heads * shape.head_size, shape.mlp)
    )


def build_llama(checkpoint: Checkpoint, rounded: bool = False) -> Llama:
    """The network of a supported checkpoint, `rounded` to 8 bits where it has more.

    As many layers are packed at a time as torch has threads.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # each layer is packed by one thread
    try:
        with ThreadPoolExecutor(threads) as pool:
            head = pool.submit(checkpoint.pack, find_head(checkpoint), rounded)
            layers = list(
                pool.map(lambda number: _build_layer(checkpoint, number, rounded), range(checkpoint.shape.layers))
            )
    finally:
        torch.set_num_threads(threads)
    embed, norm = checkpoint.embed("token_embd.weight"), checkpoint.read("output_norm.weight")
    return Llama(checkpoint.shape, embed, layers, norm, head.result(), checkpoint.frequencies())


def _build_layer(checkpoint: Checkpoint, number: int, rounded: bool) -> Layer:
    first, second = (checkpoint.read(f"blk.{number}.{norm}.weight") for norm in ("attn_norm", "ffn_norm"))
    return Layer(first, second, *(checkpoint.pack(f"blk.{number}.{matrix}.weight", rounded) for matrix in MATRICES))
