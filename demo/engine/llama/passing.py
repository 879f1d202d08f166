"""A pass of tokens through a network, as the kernels take it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from demo.engine.llama.cache import Memory
from demo.engine.llama.kernels.activations import GROUP, GROUP_BYTES
from demo.engine.llama.kernels.lanes import fill_lanes
from demo.engine.llama.kernels.layers import ASIDE, PASS
from demo.engine.llama.shape import Shape

RUN = 4  # tokens of a sequence that attend together


@dataclass(frozen=True, slots=True)
class Stretch:
    """New tokens of one sequence, which go on where its memory ends."""

    memory: Memory
    ids: Sequence[int]


class Pass:
    """A record of PASS, and the arrays to which its addresses point; the logits are there afterwards."""

    def __init__(
        self, shape: Shape, stretches: Sequence[Stretch], x: Tensor, scored: Sequence[int], threads: int
    ) -> None:
        """`x` float32 [tokens, hidden] of all stretches' tokens; `scored` are those whose logits are asked for."""
        self.record = np.zeros(1, PASS)
        self._arrays: list[npt.NDArray[Any]] = []
        for name in ("hidden", "heads", "kv_heads", "head_size", "mlp", "epsilon"):
            self.record[name] = getattr(shape, name)
        self._x = x
        self.record["x"] = x.data_ptr()
        self.record["tokens"], self.record["outputs"] = len(x), len(scored)
        self._point("scored", np.array(scored, np.int64))
        logits = np.empty((len(scored), fill_lanes(shape.vocabulary) + ASIDE), np.float32)
        self._point("logits", logits)
        self.logits = logits[:, : shape.vocabulary]
        self._place(stretches)
        self._make_room(shape, max(len(x), len(scored)), threads)

    def turn(self, frequencies: npt.NDArray[np.float64]) -> None:
        """Note the rotation of each token's queries and keys, by `frequencies` [head size / 2], radians a position."""
        angles = self._positions[:, None] * frequencies
        self._point("turns", np.stack([np.cos(angles), np.sin(angles)], axis=-1).astype(np.float32))

    def _place(self, stretches: Sequence[Stretch]) -> None:
        """Where each token stands in its sequence, and where that is remembered."""
        positions: list[int] = []
        pages: list[int] = []
        starts: list[int] = []
        for stretch in stretches:
            memory, count = stretch.memory, len(stretch.ids)
            memory.reserve(memory.length + count)
            starts += range(len(positions), len(positions) + count, RUN)
            positions += range(memory.length, memory.length + count)
            pages += [memory.pages] * count
        self._positions = np.array(positions, np.int64)
        self._point("positions", self._positions)
        self._point("pages", np.array(pages, np.int64))
        self._point("starts", np.array([*starts, len(positions)], np.int64))
        self.record["runs"] = len(starts)

    def _make_room(self, shape: Shape, tokens: int, threads: int) -> None:
        """What the kernels need for scratch."""
        heads = sum(fill_lanes(count * shape.head_size) for count in (shape.heads, shape.kv_heads, shape.kv_heads))
        widest = max(shape.hidden, heads, 2 * shape.mlp) + ASIDE
        self._point("plain", np.empty((tokens, widest), np.float32))
        self._point("wide", np.empty((tokens, widest), np.float32))
        self._point("packed", np.empty((tokens, widest // GROUP * GROUP_BYTES), np.uint8))
        row = fill_lanes(int(self._positions.max()) + 1) + fill_lanes(shape.head_size) + ASIDE
        scores = np.empty((threads, RUN * shape.heads // shape.kv_heads, row), np.float32)
        self._point("scores", scores)
        self.record["scores_size"], self.record["scores_row"] = scores.strides[:2]

    def _point(self, name: str, array: npt.NDArray[Any]) -> None:
        self._arrays.append(array)
        self.record[name] = array.ctypes.data
