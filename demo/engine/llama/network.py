"""The Llama architecture's arithmetic (arXiv:2302.13971), in as few operations as PyTorch allows.

Heads come interleaved for rotation: dimensions 2i and 2i + 1 are one complex number, as in the paper on rotary
embeddings (arXiv:2104.09864) and in GGUF files; transformers' checkpoints are rearranged when they are loaded.
"""

import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.jit import _recursive as recursive
from torch.nn import Module, ModuleList
from torch.nn.functional import silu

from demo.engine.llama.attention import Pass, attend_each
from demo.engine.llama.likeliest import find_likeliest
from demo.engine.llama.linear import Linear

SHARPENED = 128  # likeliest tokens whose logits are computed again in full precision


@dataclass(frozen=True, slots=True)
class Shape:
    """A Llama's numbers, under the names of the paper's own code."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_size: int
    mlp: int
    vocabulary: int
    context: int
    epsilon: float


def spread_frequencies(base: float, head_size: int) -> Tensor:
    """float32 [head size / 2], radians a position: powers of `base` between 1 and nearly 1 / base."""
    frequencies: Tensor = base ** (-torch.arange(0, head_size, 2) / head_size)
    return frequencies


class Table(Protocol):
    """A matrix [vocabulary, hidden] of which single rows are read."""

    def rows(self, ids: Tensor) -> Tensor:
        """float32 [ids, hidden]."""


class RMSNorm(Module):
    """x over its root mean square, times a weight (arXiv:1910.07467).

    √(mean square + ε) is the hypotenuse of the norm and √(nε), over √n: one operation, and one in the weight.
    """

    def __init__(self, weight: Tensor, epsilon: float) -> None:
        """`weight` float32 [n]."""
        super().__init__()
        self._weight = weight * len(weight) ** 0.5
        self._floor = torch.tensor((len(weight) * epsilon) ** 0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Of x float32 [tokens, n] to the same shape."""
        length = torch.hypot(torch.linalg.vector_norm(x, dim=-1, keepdim=True), self._floor)
        normalised: Tensor = x / length * self._weight
        return normalised


class Layer(Module):
    """One block: attention, then the gated perceptron."""

    def __init__(
        self,
        shape: Shape,
        before_attention: RMSNorm,
        qkv: Linear,
        out: Linear,
        before_mlp: RMSNorm,
        gate_up: Linear,
        down: Linear,
    ) -> None:
        super().__init__()
        self._queries, self._turned, self._head_size = shape.heads, shape.heads + shape.kv_heads, shape.head_size
        self._before_attention = before_attention
        self._qkv = qkv
        self._out = out
        self._before_mlp = before_mlp
        self._gate_up = gate_up
        self._down = down

    def forward(self, x: Tensor, turns: Tensor, memories: list[Tensor], ats: list[Pass], parts: list[int]) -> Tensor:
        """Of x float32 [tokens, hidden] to the same shape; `memories` are the layer's, `turns` those of all passes."""
        heads = self._qkv(self._before_attention(x), parts).float().view(len(x), -1, self._head_size)
        torch.view_as_complex(heads.narrow(1, 0, self._turned).unflatten(-1, [-1, 2])).mul_(turns)
        x = x + self._out(attend_each(heads, memories, ats, self._queries), parts)
        gate, up = self._gate_up(self._before_mlp(x), parts).chunk(2, dim=-1)
        after: Tensor = x + self._down(silu(gate) * up, parts)
        return after


class Layers(Module):
    """All blocks, of which a pass may take some now and the next ones later."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        super().__init__()
        self._layers = ModuleList(layers)

    def forward(
        self, x: Tensor, memories: list[Tensor], ats: list[Pass], parts: list[int], first: int, end: int
    ) -> Tensor:
        """x after the blocks from `first` to before `end`; memories [2, layers, rows, keys, columns, head size]."""
        turns = ats[0].turns if len(ats) == 1 else torch.cat([at.turns for at in ats])
        for number, layer in enumerate(self._layers):
            if first <= number < end:
                x = layer(x, turns, [memory.select(1, number) for memory in memories], ats, parts)
        return x


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
        self._layers = _compile(Layers(layers))
        self._before_head = before_head
        self._head = head
        self._sharpen = sharpen
        self._frequencies = frequencies.double()

    def turn(self, positions: Tensor) -> Tensor:
        """The rotations complex64 [tokens, 1, head size / 2] of tokens at positions [tokens]."""
        angles = positions[:, None, None] * self._frequencies
        return torch.polar(torch.ones_like(angles), angles).to(torch.complex64)

    def embed(self, ids: Tensor) -> Tensor:
        """Hidden states float32 [tokens, hidden] before the first layer, of ids [tokens]."""
        return self._table.rows(ids)

    def run(self, x: Tensor, memory: Tensor, at: Pass) -> Tensor:
        """Hidden states [tokens, hidden] after all layers, of few tokens."""
        return self.read(x, [memory], [at], [], 0, self.shape.layers)

    def read(
        self, x: Tensor, memories: list[Tensor], ats: list[Pass], parts: list[int], first: int, end: int
    ) -> Tensor:
        """Hidden states [tokens, hidden] of prompts, one after the other, after the layers `first` to before `end`.

        Each prompt has a memory and a pass; `parts` are their lengths, or empty where one has only a few tokens.
        """
        # Optimising costs the first calls half a second, and gains nothing.
        with torch.jit.optimized_execution(False):  # type: ignore[attr-defined]
            hidden: Tensor = self._layers(x, memories, ats, parts, first, end)
        return hidden

    def score(self, hidden: Tensor) -> Tensor:
        """Logits float32 [tokens, vocabulary] of hidden states [tokens, hidden] after the last layer."""
        x = self._before_head(hidden)
        logits: Tensor = self._head(x, []).float()
        if self._sharpen is not None:
            ids = find_likeliest(logits, SHARPENED)
            exact = self._sharpen.rows(ids.flatten()).view(*ids.shape, -1) * x[:, None]
            logits.scatter_(1, ids, exact.sum(dim=-1))
        return logits


def _compile(layers: Layers) -> Module:
    """The same, run by TorchScript's interpreter: a thousand small operations without Python and without its lock.

    Its successors need a C++ compiler where the app runs; where TorchScript has ended, Python runs the layers.
    """
    if sys.version_info >= (3, 14):
        return layers
    with warnings.catch_warnings(), _each_class_read_once():
        warnings.simplefilter("ignore", DeprecationWarning)
        compiled: Module = torch.jit.script(layers)
    return compiled


@contextmanager
def _each_class_read_once() -> Iterator[None]:
    """TorchScript reads the source of a module's class for each of two hundred modules: two thirds of the time."""
    read: Callable[[Module], Any] = recursive.infer_methods_to_compile
    known: dict[type[Module], Any] = {}

    def read_once(module: Module) -> Any:
        if type(module) not in known:
            known[type(module)] = read(module)
        return known[type(module)]

    recursive.infer_methods_to_compile = read_once
    try:
        yield
    finally:
        recursive.infer_methods_to_compile = read
