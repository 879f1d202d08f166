"""A pass of tokens through a network, as the kernels take it."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from torch import Tensor

from demo.engines.local.runner import Chunk
from demo.engines.local.runners.cpu_llama.kernels.activations import GROUP, GROUP_BYTES
from demo.engines.local.runners.cpu_llama.kernels.forward import PASS
from demo.engines.local.runners.cpu_llama.kernels.operations import ASIDE
from demo.engines.local.runners.cpu_llama.kernels.simd import fill_lanes
from demo.engines.local.runners.cpu_llama.kv_pages import KVCache
from demo.engines.local.runners.cpu_llama.shape import Shape

RUN = 4  # tokens of a sequence that attend together


class ForwardBatch:
    """A record of PASS, and all to which its addresses point; the logits are there afterwards."""

    def __init__(self, shape: Shape, chunks: Sequence[Chunk], x: Tensor, scored: Sequence[int], threads: int) -> None:
        """`x` float32 [tokens, hidden] of all chunks' tokens; `scored` are those whose logits are asked for."""
        self.record = np.zeros(1, PASS)
        self._kept: list[object] = []
        for name in ("hidden", "heads", "kv_heads", "head_size", "mlp", "epsilon"):
            self.record[name] = getattr(shape, name)
        self.record["tokens"], self.record["outputs"] = len(x), len(scored)
        self._point("scored", np.array(scored, np.int64))
        self._place(chunks)
        self._make_room(shape, x, len(scored), threads)

    def turn(self, frequencies: npt.NDArray[np.float64]) -> None:
        """Note the rotation of each token's queries and keys, by `frequencies` [head size / 2], radians a position."""
        angles = self._positions[:, None] * frequencies
        self._point("turns", np.stack([np.cos(angles), np.sin(angles)], axis=-1).astype(np.float32))

    def _place(self, chunks: Sequence[Chunk]) -> None:
        """Where each token stands in its sequence, and where that is remembered."""
        positions: list[int] = []
        pages: list[int] = []
        starts: list[int] = []
        for chunk in chunks:
            cache, count = cast(KVCache, chunk.handle), len(chunk.ids)
            self._kept += [cache.addresses, tuple(cache.pages)]
            starts += range(len(positions), len(positions) + count, RUN)
            positions += range(cache.length, cache.length + count)
            pages += [cache.addresses.ctypes.data] * count
        self._positions = np.array(positions, np.int64)
        self._point("positions", self._positions)
        self._point("pages", np.array(pages, np.int64))
        self._point("starts", np.array([*starts, len(positions)], np.int64))
        self.record["runs"] = len(starts)

    def _make_room(self, shape: Shape, x: Tensor, outputs: int, threads: int) -> None:
        """What goes through the layers, and as much again for each thread; and what they need for scratch."""
        heads = [fill_lanes(count * shape.head_size) for count in (shape.heads, shape.kv_heads, shape.kv_heads)]
        longest = max(shape.hidden, heads[0], shape.mlp)
        vector = 4 * fill_lanes(longest + longest // GROUP * GROUP_BYTES // 4 + ASIDE)
        pitch = 4 * (max(sum(heads), 2 * shape.mlp) + ASIDE)
        room = np.dtype(
            [
                ("x", np.float32, (len(x), shape.hidden)),
                ("vectors", np.uint8, (max(len(x), outputs), vector)),
                ("wide", np.uint8, (len(x), pitch)),
                ("logits", np.float32, (outputs, fill_lanes(shape.vocabulary) + ASIDE)),
            ]
        )
        rooms = np.empty(1 + threads, room)
        self._kept.append(rooms)
        for name in room.fields or ():
            self.record[name] = rooms[name].ctypes.data
        self.record["vector"], self.record["pitch"] = vector, pitch
        self.record["rooms"], self.record["room"] = rooms[1:].ctypes.data, room.itemsize
        rooms["x"][0] = x.numpy()
        self.logits = rooms["logits"][0, :, : shape.vocabulary]
        row = fill_lanes(int(self._positions.max()) + 1) + fill_lanes(shape.head_size) + ASIDE
        scores = np.empty((threads, RUN * shape.heads // shape.kv_heads, row), np.float32)
        self._point("scores", scores)
        self.record["scores_size"], self.record["scores_row"] = scores.strides[:2]

    def _point(self, name: str, array: npt.NDArray[Any]) -> None:
        self._kept.append(array)
        self.record[name] = array.ctypes.data
