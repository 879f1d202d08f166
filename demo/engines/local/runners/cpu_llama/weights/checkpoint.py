"""A Llama's numbers and weights, whatever file holds them, and the network that is built of them.

Weights go by the names that GGUF files give them.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol

import torch
from torch import Tensor

from demo.engines.local.runners.cpu_llama.model import Layer, Llama, Table
from demo.engines.local.runners.cpu_llama.shape import Shape
from demo.engines.local.runners.cpu_llama.weights.matrix import Matrix


class Checkpoint(Protocol):
    """Reads a weight when it is asked for."""

    @property
    def shape(self) -> Shape:
        """The network's numbers. Raises KeyError for one that is nowhere said."""

    def find_unsupported_reason(self) -> str:
        """What of it is no part of the Llamas that `build_llama` builds, or can't be read; empty where nothing."""

    def tensor_name(self, name: str) -> str:
        """What the file itself calls a weight."""

    def tensor_shape(self, name: str) -> tuple[int, ...] | None:
        """The shape of a weight; None where there is none of that name."""

    def read(self, name: str) -> Tensor:
        """A weight in float32."""

    def look_up(self, name: str) -> Table:
        """A matrix of which single rows are read."""

    def pack(self, name: str) -> Matrix:
        """A matrix in the form in which it is stored, or the nearest that the kernels have."""

    def frequencies(self) -> Tensor:
        """float32 [head size / 2], radians a position."""


def find_head(checkpoint: Checkpoint) -> str:
    """The name of the head: the embedding, where it has none of its own."""
    return "token_embd.weight" if checkpoint.tensor_shape("output.weight") is None else "output.weight"


@contextmanager
def _side_by_side() -> Iterator[ThreadPoolExecutor]:
    """As many threads as one operation has otherwise, for operations that have one each and wait for no other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads) as pool:
            yield pool
    finally:
        torch.set_num_threads(threads)


def build_llama(checkpoint: Checkpoint) -> Llama:
    """The network of a checkpoint without an obstacle."""
    shape = checkpoint.shape
    with _side_by_side() as pool:
        head = pool.submit(checkpoint.pack, find_head(checkpoint))
        layers = list(pool.map(lambda number: _build_layer(checkpoint, f"blk.{number}."), range(shape.layers)))
    return Llama(
        shape,
        checkpoint.look_up("token_embd.weight"),
        layers,
        checkpoint.read("output_norm.weight"),
        head.result(),
        checkpoint.frequencies(),
    )


def _build_layer(checkpoint: Checkpoint, at: str) -> Layer:
    return Layer(
        attention_norm=checkpoint.read(f"{at}attn_norm.weight"),
        mlp_norm=checkpoint.read(f"{at}ffn_norm.weight"),
        q=checkpoint.pack(f"{at}attn_q.weight"),
        k=checkpoint.pack(f"{at}attn_k.weight"),
        v=checkpoint.pack(f"{at}attn_v.weight"),
        out=checkpoint.pack(f"{at}attn_output.weight"),
        gate=checkpoint.pack(f"{at}ffn_gate.weight"),
        up=checkpoint.pack(f"{at}ffn_up.weight"),
        down=checkpoint.pack(f"{at}ffn_down.weight"),
    )
