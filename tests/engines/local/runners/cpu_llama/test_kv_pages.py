"""A sequence takes pages as it grows, which stay where they are."""

import pytest

from demo.engines.local.runners.cpu_llama.kernels.attention import PAGE
from demo.engines.local.runners.cpu_llama.kv_pages import KVCache
from demo.engines.local.runners.cpu_llama.shape import Shape

SHAPE = Shape(layers=2, hidden=8, mlp=16, vocabulary=32, heads=2, kv_heads=1, head_size=4, context=4096, epsilon=1e-5)


@pytest.mark.parametrize(("tokens", "pages"), [(1, 1), (PAGE, 1), (PAGE + 1, 2), (5 * PAGE, 5)])
def test_pages_are_taken_for_as_many_tokens_as_there_will_be(tokens: int, pages: int) -> None:
    memory = KVCache(SHAPE)
    memory.reserve(tokens)
    assert len(memory.addresses) == len(set(memory.addresses)) == pages


def test_pages_stay_where_they_are_when_more_are_taken() -> None:
    memory = KVCache(SHAPE)
    memory.reserve(2 * PAGE)
    before = memory.addresses
    memory.reserve(PAGE)
    memory.reserve(4 * PAGE)
    assert memory.addresses[:2].tolist() == before.tolist()
