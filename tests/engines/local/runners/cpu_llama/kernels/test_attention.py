"""Attention over pages, against PyTorch's own over whole rows."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from demo.engines.local.runners.cpu_llama.kernels import entry, find_missing_kernels
from demo.engines.local.runners.cpu_llama.kernels.attention import PAGE, Asking, attend, measure_part, remember, turn
from demo.engines.local.runners.cpu_llama.kernels.memory import read_long
from demo.engines.local.runners.cpu_llama.kernels.simd import LANES, fill_lanes

pytestmark = pytest.mark.skipif(find_missing_kernels() != "", reason=find_missing_kernels())

LENGTHS = [1, 2, 15, 16, 17, 63, 64, 65, 130, 200]
SIZES = [8, 16, 24, 64]


@entry
def call_turn(head: int, turns: int, size: int) -> None:
    turn(head, turns, size, head)


@entry
def call_remember(keys: int, values: int, pages: int, part: int, columns: int, size: int) -> None:
    for column in range(columns):
        at, page = 4 * size * column, read_long(pages + 8 * (column // PAGE))
        remember(keys + at, values + at, page + part, column % PAGE, size)


@entry
def call_attend(
    queries: int,
    tokens: int,
    heads: int,
    size: int,
    scores: int,
    row: int,
    pages: int,
    part: int,
    columns: int,
    out: int,
) -> None:
    pitch = 4 * heads * size
    asking = Asking(queries, pitch, tokens, heads, size, fill_lanes(size), scores, row)
    attend(asking, pages, part, columns, out, pitch)


def attend_to(queries: Tensor, keys: Tensor, values: Tensor, run: int = 4) -> Tensor:
    """float32 [tokens, heads, size] for the last tokens' queries [tokens, heads, size], so many together."""
    tokens, heads, size = queries.shape
    part = 4 * measure_part(size)  # as if these were the second heads of a page
    pages = [np.zeros(2 * part // 4, np.float32) for _ in range(-(-len(keys) // PAGE))]
    table = np.array([page.ctypes.data for page in pages], np.int64)
    call_remember(keys.data_ptr(), values.data_ptr(), table.ctypes.data, part, len(keys), size)
    out, row = torch.empty(tokens, heads, size), fill_lanes(len(keys)) + fill_lanes(size) + LANES
    scores = np.full((run * heads, row), np.nan, np.float32)
    for first in range(0, tokens, run):
        at, columns = 4 * heads * size * first, len(keys) - tokens + first + 1
        call_attend(
            queries.data_ptr() + at,
            min(run, tokens - first),
            heads,
            size,
            scores.ctypes.data,
            scores.strides[0],
            table.ctypes.data,
            part,
            columns,
            out.data_ptr() + at,
        )
    return out


def make(tokens: int, columns: int, heads: int, size: int) -> tuple[Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(columns)
    keys, values = (torch.randn(columns, size, generator=random) for _ in range(2))
    return torch.randn(tokens, heads, size, generator=random), keys, values


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("heads", [1, 2, 3, 4])
def test_each_token_attends_to_what_is_before_it(size: int, heads: int) -> None:
    for columns in LENGTHS:
        tokens = min(columns, 9)
        queries, keys, values = make(tokens, columns, heads, size)
        sees = torch.arange(columns) <= torch.arange(columns - tokens, columns)[:, None]
        exact = scaled_dot_product_attention(queries.transpose(0, 1), keys[None], values[None], attn_mask=sees[None])
        torch.testing.assert_close(attend_to(queries, keys, values), exact.transpose(0, 1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("heads", [1, 3, 4])
def test_a_token_gets_the_same_alone_and_among_its_neighbours(heads: int) -> None:
    for columns in LENGTHS:
        given = make(min(columns, 9), columns, heads, 64)
        assert torch.equal(attend_to(*given, run=1), attend_to(*given, run=4))


def test_a_head_is_turned_as_complex_numbers_are() -> None:
    head, angles = torch.randn(8), torch.randn(4)
    exact = torch.view_as_real(torch.view_as_complex(head.view(4, 2)) * torch.polar(torch.ones(4), angles)).flatten()
    turns = torch.stack([angles.cos(), angles.sin()], dim=-1).contiguous()
    call_turn(head.data_ptr(), turns.data_ptr(), 8)
    torch.testing.assert_close(head, exact)
