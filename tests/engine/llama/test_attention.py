"""What attention gives a row depends on nothing but the row."""

from collections.abc import Iterator

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

import demo.engine  # sets what the matrix library begins with

assert demo.engine


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("queries", [1, 2, 3])
@pytest.mark.parametrize("columns", [64, 384, 1024])
@pytest.mark.usefixtures("two_threads")
def test_a_row_gets_the_same_whichever_thread_attends(queries: int, columns: int) -> None:
    torch.manual_seed(0)
    asks, keys, values = (torch.randn(8, 3, length, 64) for length in (queries, columns, columns))
    together = scaled_dot_product_attention(asks, keys, values)
    for row, each in enumerate(together):
        at = slice(row, row + 1)
        assert torch.equal(scaled_dot_product_attention(asks[at], keys[at], values[at])[0], each)
