"""The Llama architecture's arithmetic (arXiv:2302.13971), in as few operations as PyTorch allows.

Heads come interleaved for rotation: dimensions 2i and 2i + 1 are one complex number, as in the paper on rotary
embeddings (arXiv:2104.09864) and in GGUF files; transformers' checkpoints are rearranged when they are loaded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import silu

from demo.engine.llama.linear import Linear

SHARPENED = 4.0  # logits this near to the greatest are computed again in full precision


@dataclass(frozen=True, slots=True)
class Shape:
    """A Llama's numbers, under the names of the paper's own code."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_size: int
    context: int


class Table(Protocol):
    """A matrix [vocabulary, hidden] of which single rows are read."""

    def rows(self, ids: Tensor) -> Tensor:
        """float32 [ids, hidden]."""


class Attend(Protocol):
    """Remembers keys and values of a layer, and attends to all that are remembered."""

    def __call__(self, layer: int, heads: Tensor) -> Tensor:
        """Of heads [tokens, queries + keys + values, head size] to float32 [tokens, queries · head size]."""


class RMSNorm:
    """x over its root mean square, times a weight (arXiv:1910.07467).

    √(mean square + ε) is the hypotenuse of the norm and √(nε), over √n: one operation, and one in the weight.
    """

    def __init__(self, weight: Tensor, epsilon: float) -> None:
        """`weight` float32 [n]."""
        self._weight = weight * len(weight) ** 0.5
        self._floor = torch.tensor((len(weight) * epsilon) ** 0.5)

    def __call__(self, x: Tensor) -> Tensor:
        length = torch.hypot(torch.linalg.vector_norm(x, dim=-1, keepdim=True), self._floor)
        normalised: Tensor = x / length * self._weight
        return normalised


@dataclass(frozen=True, slots=True)
class Layer:
    """One block."""

    before_attention: RMSNorm
    qkv: Linear
    out: Linear
    before_mlp: RMSNorm
    gate_up: Linear
    down: Linear


class Llama:
    """A network: ids and positions in, hidden states and logits out. What it remembers is the caller's."""

    def __init__(
        self,
        shape: Shape,
        table: Table,
        layers: Sequence[Layer],
        before_head: RMSNorm,
        head: Linear,
        sharpen: Table | None,
        frequencies: Tensor,
    ) -> None:
        """`frequencies` float32 [head size / 2], radians a position; `sharpen` is the head where `head` rounds."""
        self.shape = shape
        self._table = table
        self._layers = layers
        self._before_head = before_head
        self._head = head
        self._sharpen = sharpen
        self._frequencies = frequencies.double()

    def run(self, ids: Tensor, positions: Tensor, attend: Attend, many: bool = False) -> Tensor:
        """Hidden states float32 [tokens, hidden] after ids [tokens] at positions [tokens].

        `many` says that there are dozens of tokens: their weights are then unpacked first.
        """
        product = _many if many else _few
        turned = self.shape.heads + self.shape.kv_heads
        angles = positions[:, None, None] * self._frequencies
        turns = torch.polar(torch.ones_like(angles), angles).to(torch.complex64)  # [tokens, 1, head size / 2]
        x = self._table.rows(ids)
        for number, layer in enumerate(self._layers):
            qkv = product(layer.qkv, layer.before_attention(x))
            heads = qkv.float().view(len(x), -1, self.shape.head_size)
            torch.view_as_complex(heads[:, :turned].unflatten(-1, (-1, 2))).mul_(turns)
            x = x + product(layer.out, attend(number, heads))
            gate, up = product(layer.gate_up, layer.before_mlp(x)).chunk(2, dim=-1)
            x += product(layer.down, silu(gate) * up)
        return x

    def score(self, hidden: Tensor) -> Tensor:
        """Logits float32 [tokens, vocabulary] of hidden states [tokens, hidden]."""
        x = self._before_head(hidden)
        logits = self._head.few(x).float()
        if self._sharpen is not None:
            rows, ids = (logits >= logits.amax(dim=-1, keepdim=True) - SHARPENED).nonzero(as_tuple=True)
            logits[rows, ids] = (self._sharpen.rows(ids) * x[rows]).sum(dim=-1)
        return logits


def _few(matrix: Linear, x: Tensor) -> Tensor:
    return matrix.few(x)


def _many(matrix: Linear, x: Tensor) -> Tensor:
    return matrix.many(x)
