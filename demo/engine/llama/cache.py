"""What a Llama remembers: the keys and values of sequences, each in a row of its own, from column 0 on.

Attention reads whole numbers of columns and masks what lies beyond a row's end. What a row gets does not depend on
the rows beside it: sums over keys are always blocked in the same way.
"""

from collections.abc import Sequence
from itertools import groupby

import torch
from torch import Tensor

from demo.engine.llama.attention import Pass
from demo.engine.llama.network import Llama, Shape

STEP = 64  # columns are read in multiples of this,
SHORT = 384  # and beyond this many, where the matrix library cuts its sums, in multiples of
LONG_STEP = 512  # attention's own block
FIRST_COLUMNS = 256


class Rows:
    """Keys and values [2, layers, rows, heads, columns, head size] in float32; room grows by doubling."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self.lengths: list[int] = []
        self._buffer = self._make_room(1, FIRST_COLUMNS)

    @property
    def memory(self) -> Tensor:
        """Of the rows that there are, with more columns than they fill."""
        return self._buffer[:, :, : len(self.lengths)]

    def join(self, other: "Rows") -> None:
        """Add the one sequence of `other` as the last row."""
        (length,) = other.lengths
        self.reserve(len(self.lengths) + 1, length)
        self._buffer[:, :, len(self.lengths), :, :length] = other._buffer[:, :, 0, :, :length]
        self.lengths.append(length)

    def leave(self, row: int) -> None:
        """Remove a row; the last takes its place. With the last one goes the room that many or long ones took."""
        length = self.lengths.pop()
        if not self.lengths and self._buffer.shape[2] * self._buffer.shape[4] > FIRST_COLUMNS:
            self._buffer = self._make_room(1, FIRST_COLUMNS)
        if row < len(self.lengths):
            self._buffer[:, :, row, :, :length] = self._buffer[:, :, len(self.lengths), :, :length]
            self.lengths[row] = length

    def reserve(self, rows: int, columns: int) -> None:
        """Make room for so many rows of so many columns."""
        room, wide = self._buffer.shape[2], self._buffer.shape[4]
        if rows <= room and round_up(columns) <= wide:
            return
        while room < rows:
            room *= 2
        while wide < round_up(columns):
            wide *= 2
        used = (slice(None), slice(None), slice(len(self.lengths)), slice(None), slice(max(self.lengths, default=0)))
        old, self._buffer = self._buffer, self._make_room(room, wide)
        self._buffer[used] = old[used]

    def _make_room(self, rows: int, columns: int) -> Tensor:
        # Zeros: what is masked is multiplied by zero, and zero times an uninitialised NaN is NaN.
        return torch.zeros(2, self._shape.layers, rows, self._shape.kv_heads, columns, self._shape.head_size)


def round_up(length: int) -> int:
    """How many columns are read for a row of this length."""
    step = STEP if length <= SHORT else LONG_STEP
    return -(-length // step) * step


def append_one(rows: Rows, network: Llama) -> Pass:
    """A pass with one new token for every row."""
    rows.reserve(len(rows.lengths), max(rows.lengths) + 1)
    positions = torch.tensor(rows.lengths)
    neighbours, masks = _find_neighbours([length + 1 for length in rows.lengths])
    return Pass(network.turn(positions), positions, rows.lengths[0], torch.arange(len(positions)), neighbours, masks)


def append_several(rows: Rows, count: int, network: Llama) -> Pass:
    """A pass with several new tokens for the one row there is."""
    (first,) = rows.lengths
    rows.reserve(1, first + count)
    positions, columns = torch.arange(first, first + count), round_up(first + count)
    mask = _hide(torch.arange(columns) > positions[:, None])
    mask = mask.repeat_interleave(network.shape.heads // network.shape.kv_heads, dim=0)[None, None]
    return Pass(network.turn(positions), positions, first, torch.zeros(1), [(0, 1, columns)], [mask])


def _find_neighbours(lengths: Sequence[int]) -> tuple[list[tuple[int, int, int]], list[Tensor]]:
    neighbours, masks, first = [], [], 0
    for _, group in groupby(lengths, key=lambda length: length <= SHORT):
        together = list(group)
        columns = round_up(max(together))
        neighbours.append((first, first + len(together), columns))
        masks.append(_hide(torch.arange(columns) >= torch.tensor(together)[:, None])[:, None, None])
        first += len(together)
    return neighbours, masks


def _hide(hidden: Tensor) -> Tensor:
    return torch.zeros(hidden.shape).masked_fill_(hidden, float("-inf"))
