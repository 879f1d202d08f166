"""The arguments of one forward pass, as the kernels take them."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from torch import Tensor

from demo.engines.local.runner import Chunk
from demo.engines.local.runners.cpu_llama.kernels.activations import GROUP, GROUP_BYTES
from demo.engines.local.runners.cpu_llama.kernels.forward import FORWARD_BATCH
from demo.engines.local.runners.cpu_llama.kernels.operations import PADDING
from demo.engines.local.runners.cpu_llama.kernels.simd import round_up
from demo.engines.local.runners.cpu_llama.kv_pages import KVCache
from demo.engines.local.runners.cpu_llama.shape import Shape

QUERY_TILE = 4  # consecutive tokens of a sequence that attend together


class ForwardBatch:
    """A FORWARD_BATCH record and the buffers that its addresses point to. The pass writes `logits`."""

    def __init__(self, shape: Shape, chunks: Sequence[Chunk], x: Tensor, scored: Sequence[int], threads: int) -> None:
        """`x` float32 [tokens, hidden] of all chunks' tokens; `scored` are the tokens whose logits are computed."""
        self.record = np.zeros(1, FORWARD_BATCH)
        self._kept: list[object] = []
        for name in ("hidden", "heads", "kv_heads", "head_size", "mlp", "post_norms", "epsilon"):
            self.record[name] = getattr(shape, name)
        self.record["tokens"], self.record["outputs"] = len(x), len(scored)
        self._point("output_tokens", np.array(scored, np.int64))
        self._place_tokens(chunks)
        self._allocate(shape, x, len(scored), threads)

    def set_rotations(self, frequencies: npt.NDArray[np.float64], scale: float = 1.0) -> None:
        """Rotate queries and keys by their position times `frequencies` [tables, head size / 2], in radians.

        The rotated dimensions are multiplied by `scale`.
        """
        angles = self._positions[:, None] * frequencies[:, None]
        factor = np.where(frequencies[:, None] == 0, 1.0, scale)
        rotations = np.stack([factor * np.cos(angles), factor * np.sin(angles)], axis=-1).astype(np.float32)
        self._point("rotations", rotations)
        self.record["rotations_size"] = rotations.strides[0]

    def _place_tokens(self, chunks: Sequence[Chunk]) -> None:
        """Each token's position in its sequence, and the table of that sequence's pages."""
        positions: list[int] = []
        pages: list[int] = []
        starts: list[int] = []
        for chunk in chunks:
            cache, count = cast(KVCache, chunk.handle), len(chunk.ids)
            self._kept += [cache.addresses, tuple(cache.pages)]
            starts += range(len(positions), len(positions) + count, QUERY_TILE)
            positions += range(cache.length, cache.length + count)
            pages += [cache.addresses.ctypes.data] * count
        self._positions = np.array(positions, np.int64)
        self._point("positions", self._positions)
        self._point("page_tables", np.array(pages, np.int64))
        self._point("tile_starts", np.array([*starts, len(positions)], np.int64))
        self.record["tiles"] = len(starts)

    def _allocate(self, shape: Shape, x: Tensor, outputs: int, threads: int) -> None:
        """The buffers from x to logits, shared and as a private copy of each thread; and attention's scratch."""
        heads = [round_up(count * shape.head_size) for count in (shape.heads, shape.kv_heads, shape.kv_heads)]
        longest = max(shape.hidden, heads[0], shape.mlp)
        stride = 4 * round_up(longest + longest // GROUP * GROUP_BYTES // 4 + PADDING)
        intermediate_stride = 4 * (max(sum(heads), 2 * shape.mlp, shape.hidden) + PADDING)
        buffers = np.dtype(
            [
                ("x", np.float32, (len(x), shape.hidden)),
                ("activations", np.uint8, (max(len(x), outputs), stride)),
                ("intermediate", np.uint8, (len(x), intermediate_stride)),
                ("logits", np.float32, (outputs, round_up(shape.vocabulary) + PADDING)),
            ]
        )
        copies = np.empty(1 + threads, buffers)
        self._kept.append(copies)
        for name in buffers.fields or ():
            self.record[name] = copies[name].ctypes.data
        self.record["activation_stride"], self.record["intermediate_stride"] = stride, intermediate_stride
        self.record["scratch"], self.record["scratch_size"] = copies[1:].ctypes.data, buffers.itemsize
        copies["x"][0] = x.numpy()
        self.logits = copies["logits"][0, :, : shape.vocabulary]
        row = round_up(int(self._positions.max()) + 1) + round_up(shape.head_size) + PADDING
        scores = np.empty((threads, QUERY_TILE * shape.heads // shape.kv_heads, row), np.float32)
        self._point("scores", scores)
        self.record["scores_size"], self.record["scores_row"] = scores.strides[:2]

    def _point(self, name: str, array: npt.NDArray[Any]) -> None:
        self._kept.append(array)
        self.record[name] = array.ctypes.data
