"""Attention over pages, against PyTorch's own over whole rows."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from demo.engines.local.runners.cpu_llama.kernels import entry
from demo.engines.local.runners.cpu_llama.kernels.attention import (
    PAGE,
    AttentionArgs,
    append_kv,
    apply_rope,
    attend,
    measure_head,
    measure_page,
)
from demo.engines.local.runners.cpu_llama.kernels.memory import read_long
from demo.engines.local.runners.cpu_llama.kernels.simd import LANES, round_up

LENGTHS = [1, 2, 15, 16, 17, 63, 64, 65, 130, 200]
SIZES = [8, 16, 24, 64]
Pages = list[NDArray[np.uint8]]


def make_pages(tokens: int, size: int) -> Pages:
    return [np.zeros(measure_page(1, 2, size), np.uint8) for _ in range(-(-tokens // PAGE))]


@entry
def call_apply_rope(head: int, rotations: int, size: int) -> None:
    apply_rope(head, rotations, size, head)


@entry
def call_append_kv(keys: int, values: int, pages: int, head: int, tokens: int, size: int) -> None:
    for token in range(tokens):
        at, page = 4 * size * token, read_long(pages + 8 * (token // PAGE))
        append_kv(keys + at, values + at, page + head, token % PAGE, size)


@entry
def call_attend(
    queries: int,
    tokens: int,
    heads: int,
    size: int,
    scores: int,
    row: int,
    pages: int,
    head: int,
    context: int,
    out: int,
) -> None:
    stride = 4 * heads * size
    args = AttentionArgs(queries, stride, tokens, heads, size, round_up(size), scores, row, 0)
    attend(args, pages, head, context, out, stride)


def attend_to(queries: Tensor, keys: Tensor, values: Tensor, tile: int = 4, pages: Pages | None = None) -> Tensor:
    """float32 [tokens, heads, size] for the last tokens' queries [tokens, heads, size], so many together."""
    tokens, heads, size = queries.shape
    head = measure_head(size)  # as if these were the second heads of a page
    pages = pages or make_pages(len(keys), size)
    table = np.array([page.ctypes.data for page in pages], np.int64)
    call_append_kv(keys.data_ptr(), values.data_ptr(), table.ctypes.data, head, len(keys), size)
    out, row = torch.empty(tokens, heads, size), round_up(len(keys)) + round_up(size) + LANES
    scores = np.full((tile * heads, row), np.nan, np.float32)
    for first in range(0, tokens, tile):
        at, context = 4 * heads * size * first, len(keys) - tokens + first + 1
        call_attend(
            queries.data_ptr() + at,
            min(tile, tokens - first),
            heads,
            size,
            scores.ctypes.data,
            scores.strides[0],
            table.ctypes.data,
            head,
            context,
            out.data_ptr() + at,
        )
    return out


def make(tokens: int, context: int, heads: int, size: int) -> tuple[Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(context)
    keys, values = (torch.randn(context, size, generator=random) for _ in range(2))
    return torch.randn(tokens, heads, size, generator=random), keys, values


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("heads", [1, 2, 3, 4])
def test_each_token_attends_to_what_is_before_it(size: int, heads: int) -> None:
    for columns in LENGTHS:
        tokens = min(columns, 9)
        queries, keys, values = make(tokens, columns, heads, size)
        sees = torch.arange(columns) <= torch.arange(columns - tokens, columns)[:, None]
        key, value = (numbers.half().float()[None] for numbers in (keys, values))
        exact = scaled_dot_product_attention(queries.transpose(0, 1), key, value, attn_mask=sees[None])
        torch.testing.assert_close(attend_to(queries, keys, values), exact.transpose(0, 1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("heads", [1, 2, 3, 4, 7])
def test_a_token_gets_the_same_alone_and_among_its_neighbours(heads: int) -> None:
    for columns in LENGTHS:
        given = make(min(columns, 9), columns, heads, 64)
        assert torch.equal(attend_to(*given, tile=1), attend_to(*given, tile=4))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf"), 70000.0, -70000.0])
@pytest.mark.parametrize("held", ["key", "value"])
def test_a_token_that_float16_cannot_hold_is_nan_to_all_that_see_it_and_nothing_to_those_before(
    held: str, number: float
) -> None:
    queries, keys, values = make(tokens=9, context=140, heads=3, size=24)
    expected = attend_to(queries, keys, values)
    {"key": keys, "value": values}[held][134, 23] = number
    found = attend_to(queries, keys, values)
    assert torch.equal(found[:3], expected[:3])
    assert found[3:].isnan().all()


def test_the_largest_float16_is_held() -> None:
    queries, keys, values = make(tokens=1, context=1, heads=1, size=16)
    values[0, 3] = -65504
    assert attend_to(queries, keys, values)[0, 0, 3] == -65504


def test_a_query_of_nan_gets_nan_and_changes_no_other() -> None:
    queries, keys, values = make(tokens=9, context=140, heads=3, size=24)
    expected = attend_to(queries, keys, values)
    queries[5, 1, 2] = torch.nan
    found = attend_to(queries, keys, values)
    assert found[5, 1].isnan().all()
    found[5, 1] = expected[5, 1]
    assert torch.equal(found, expected)


def test_what_a_page_was_used_for_before_changes_nothing() -> None:
    size = 24
    pages = make_pages(200, size)
    _, keys, values = make(tokens=1, context=200, heads=3, size=size)
    keys[70:], values[90:] = torch.nan, torch.inf
    attend_to(make(tokens=1, context=200, heads=3, size=size)[0], keys, values, pages=pages)
    given = make(tokens=9, context=83, heads=3, size=size)
    assert torch.equal(attend_to(*given, pages=pages), attend_to(*given))


def test_a_head_is_rotated_as_complex_numbers_are() -> None:
    head, angles = torch.randn(8), torch.randn(4)
    exact = torch.view_as_real(torch.view_as_complex(head.view(4, 2)) * torch.polar(torch.ones(4), angles)).flatten()
    rotations = torch.stack([angles.cos(), angles.sin()], dim=-1).contiguous()
    call_apply_rope(head.data_ptr(), rotations.data_ptr(), 8)
    torch.testing.assert_close(head, exact)
