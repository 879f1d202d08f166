"""Grouped-query attention (arXiv:2305.13245) over remembered keys and values, for one pass through a network.

TorchScript compiles what is here: that is why the types are as plain as they are.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention


class Pass(NamedTuple):
    """Where the new tokens of a pass stand: as many for each row, one row after the other.

    Rows that are read to the same width are neighbours, and attend together: (first row, end, columns), with a mask
    [rows or 1, 1, new tokens · queries of a key, columns] each, to be added to the scores.
    """

    turns: Tensor  # complex64 [tokens, 1, head size / 2]: the rotation of each token's queries and keys
    positions: Tensor  # [tokens]
    first: int  # the first of them
    rows: Tensor  # [rows]
    neighbours: list[tuple[int, int, int]]
    masks: list[Tensor]


def attend_each(heads: Tensor, memories: list[Tensor], ats: list[Pass], queries: int) -> Tensor:
    """`attend` for several passes: heads [tokens of all, …], and a memory for each."""
    if len(ats) == 1:
        return attend(heads, memories[0], ats[0], queries)
    attended: list[Tensor] = []
    first = 0
    for place, at in enumerate(ats):
        end = first + len(at.positions)
        attended.append(attend(heads[first:end], memories[place], at, queries))
        first = end
    return torch.cat(attended)


def attend(heads: Tensor, memory: Tensor, at: Pass, queries: int) -> Tensor:
    """Remember a layer's new keys and values, then attend to all that are remembered.

    Of heads float32 [tokens, queries + keys + values, head size] and memory [2, rows, keys, columns, head size] to
    float32 [tokens, queries · head size].
    """
    rows, keys, size = len(at.rows), memory.size(2), heads.size(2)
    each = len(heads) // rows
    new = heads.narrow(1, queries, 2 * keys).unflatten(1, [2, keys])
    if rows == 1:  # many times cheaper than by numbers
        memory.select(1, 0).narrow(2, at.first, each).copy_(new.permute(1, 2, 0, 3))
    else:
        memory[:, at.rows, :, at.positions] = new
    asks = heads.narrow(1, 0, queries).view(rows, each, keys, -1, size)
    # A view costs a step as much as many a small computation: few of them for single tokens.
    asks = asks.squeeze(1) if each == 1 else asks.transpose(1, 2).flatten(2, 3)
    seen: list[Tensor] = []
    for number, (row, end, columns) in enumerate(at.neighbours):
        known = memory.narrow(1, row, end - row).narrow(3, 0, columns)
        asked = asks.narrow(0, row, end - row)
        seen.append(scaled_dot_product_attention(asked, known[0], known[1], attn_mask=at.masks[number]))
    together = seen[0] if len(seen) == 1 else torch.cat(seen)  # [rows, keys, each · queries of a key, head size]
    if each == 1:
        return together.reshape(rows, -1)
    return together.view(rows, keys, each, -1).transpose(1, 2).reshape(len(heads), -1)
