"""A Llama's shape and weights, whatever file holds them, and the network that is built from them.

Weights are named as in GGUF files.
"""

import re
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final, Protocol

import torch
from torch import Tensor

from demo.engines.local.loading.source import ModelSource
from demo.engines.local.runners.cpu_llama.architectures.architecture import Architecture, Choices
from demo.engines.local.runners.cpu_llama.kernels.activations import GROUP
from demo.engines.local.runners.cpu_llama.kernels.forward import MATRICES
from demo.engines.local.runners.cpu_llama.model import Layer, Llama
from demo.engines.local.runners.cpu_llama.shape import Shape
from demo.engines.local.runners.cpu_llama.weights.matrix import Matrix
from demo.engines.local.runners.cpu_llama.weights.rounding import Round, Rounding
from demo.engines.local.tokenizer import Tokenizer

HEADS: Final = re.compile(r"attn_[qk](_norm)?\.(weight|bias)$")  # weights of queries and keys


class Checkpoint(Protocol):
    """Reads each weight when it is asked for."""

    @property
    def shape(self) -> Shape:
        """Raises KeyError with the name of a number that the file does not hold."""

    @property
    def architecture(self) -> Architecture:
        """The family of the model."""

    @property
    def choices(self) -> Choices:
        """What its layers do differently. Raises Unsupported."""

    @property
    def is_plain(self) -> bool:
        """Whether most matrices have 16 or 32 bits per number."""

    @property
    def dtype(self) -> str:
        """The name of the type of most matrices."""

    def check(self) -> None:
        """Raise Unsupported where `build_llama` cannot build this model."""

    def load_tokenizer(self, source: ModelSource) -> tuple[Tokenizer, list[int]]:
        """The tokenizer, and the end ids that are configured. Raises ModelError where it can't be used."""

    def tensor_name(self, name: str) -> str:
        """The name of a weight in the file itself."""

    def stored_shape(self, stored_name: str) -> Sequence[int] | None:
        """The shape of a tensor by its name in the file; None where the file has none of that name."""

    def read(self, name: str) -> Tensor:
        """A weight in float32."""

    def embed(self, name: str) -> Callable[[Tensor], Tensor]:
        """From ids [tokens] to rows of a matrix, float32 [tokens, columns]. The matrix stays in the file."""

    def pack(self, name: str, round: Round | None = None) -> Matrix:
        """A matrix in the quantization type in which it is stored, or in the nearest that the kernels support.

        With `round`, one of 16 or 32 bits per number is rounded.
        """

    def tensor_shape(self, name: str) -> tuple[int, ...] | None:
        """The shape of a weight; None where the file has none of that name."""
        if (stored := self.stored_shape(self.tensor_name(name))) is None:
            return None
        _, first, end = self.find_stored(name)
        rows, *rest = stored
        return (max(min(rows, end or rows) - first, 0), *rest)

    def find_stored(self, name: str) -> tuple[str, int, int | None]:
        """The weight of the file that holds the weight `name`, and its rows there: the first, and the end."""
        if not self.architecture.is_fused:
            return name, 0, None
        *block, part, kind = name.split(".")
        shape = self.shape
        queries, keys = shape.heads * shape.head_size, shape.kv_heads * shape.head_size
        parts: dict[str, tuple[str, int, int | None]] = {
            "attn_q": ("attn_qkv", 0, queries),
            "attn_k": ("attn_qkv", queries, queries + keys),
            "attn_v": ("attn_qkv", queries + keys, None),
            "ffn_gate": ("ffn_up", 0, shape.mlp),
            "ffn_up": ("ffn_up", shape.mlp, None),
        }
        stored, first, end = parts.get(part, (part, 0, None))
        return ".".join([*block, stored, kind]), first, end

    def interleave(self, rows: Tensor) -> Tensor:
        """The rows of a weight of heads whose dimensions rotate by halves, in the order of the kernels.

        Of the dimensions that rotate, i and i + half become 2i and 2i + 1.
        """
        size, rotated = self.shape.head_size, self.choices.rotated
        pairs = torch.arange(rotated).unflatten(0, (2, -1)).T.flatten()
        heads: Tensor = rows.unflatten(0, (-1, size))
        return heads[:, torch.cat([pairs, torch.arange(rotated, size)])].flatten(0, 1)


def find_head(checkpoint: Checkpoint) -> str:
    """The name of the head's weight: the embedding's, where they are tied."""
    return "token_embd.weight" if checkpoint.tensor_shape("output.weight") is None else "output.weight"


def can_round(checkpoint: Checkpoint) -> bool:
    """Whether the rows of a checkpoint's matrices can be rounded in whole groups, and most of them have more bits."""
    shape = checkpoint.shape
    return checkpoint.is_plain and not any(
        columns % GROUP for columns in (shape.hidden, shape.heads * shape.head_size, shape.mlp)
    )


def build_llama(checkpoint: Checkpoint, rounding: Rounding | None = None) -> Llama:
    """The network of a supported checkpoint; its weights of 16 and 32 bits are rounded where a `rounding` is given.

    As many layers are packed at a time as torch has threads.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # each layer is packed by one thread
    try:
        with ThreadPoolExecutor(threads) as pool:
            head = pool.submit(checkpoint.pack, find_head(checkpoint), rounding.head if rounding else None)
            round = rounding.layers if rounding else None
            layers = list(pool.map(lambda at: _build_layer(checkpoint, at, round), range(checkpoint.shape.layers)))
    finally:
        torch.set_num_threads(threads)
    choices = checkpoint.choices
    shape = replace(checkpoint.shape, context=min(checkpoint.shape.context, choices.context or sys.maxsize))
    embed, norm = checkpoint.embed("token_embd.weight"), checkpoint.read("output_norm.weight")
    scale = choices.embedding_scale
    scaled = embed if scale == 1 else lambda ids: embed(ids) * scale
    return Llama(shape, scaled, layers, norm, head.result(), choices.frequencies, choices.scale)


def _build_layer(checkpoint: Checkpoint, number: int, round: Round | None) -> Layer:
    architecture, choice, block = checkpoint.architecture, checkpoint.choices.layers[number], f"blk.{number}"
    norms = {part: checkpoint.read(f"{block}.{part}.weight") for part in architecture.norms}
    matrices = {part: checkpoint.pack(f"{block}.{part}.weight", round) for part in MATRICES}
    for part in architecture.biases:
        matrices[part] = matrices[part].add_bias(checkpoint.read(f"{block}.{part}.bias"))
    return Layer(norms, matrices, choice.rotation, choice.window, architecture.activation)


def is_of_heads(name: str) -> bool:
    """Whether the rows of a weight are the dimensions of queries or keys, which rotate."""
    return HEADS.search(name) is not None
