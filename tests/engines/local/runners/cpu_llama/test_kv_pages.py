"""A sequence takes pages as it grows, and pages never move."""

import pytest

from demo.engines.local.runners.cpu_llama.kernels.attention import PAGE
from demo.engines.local.runners.cpu_llama.kv_pages import KVCache, PagePool
from demo.engines.local.runners.cpu_llama.shape import Shape

SHAPE = Shape(layers=2, hidden=8, mlp=16, vocabulary=32, heads=2, kv_heads=1, head_size=4, context=4096, epsilon=1e-5)
BUDGET = 1 << 24


@pytest.mark.parametrize(("tokens", "pages"), [(1, 1), (PAGE, 1), (PAGE + 1, 2), (5 * PAGE, 5)])
def test_pages_are_taken_for_as_many_tokens_as_there_will_be(tokens: int, pages: int) -> None:
    cache = KVCache(PagePool(SHAPE, BUDGET))
    assert cache.reserve(tokens)
    assert len(cache.addresses) == len(set(cache.addresses)) == pages


def test_pages_stay_where_they_are_when_more_are_taken() -> None:
    cache = KVCache(PagePool(SHAPE, BUDGET))
    cache.reserve(2 * PAGE)
    before = cache.addresses
    cache.reserve(PAGE)
    cache.reserve(4 * PAGE)
    assert cache.addresses[:2].tolist() == before.tolist()


def test_pages_stay_within_the_budget_and_are_returned_when_they_are_released() -> None:
    pool = PagePool(SHAPE, 3 * PagePool(SHAPE, 0).page_bytes)
    one, other = KVCache(pool), KVCache(pool)
    assert one.reserve(2 * PAGE)
    assert not other.reserve(2 * PAGE)
    one.release()
    assert other.reserve(2 * PAGE)
    assert (pool.count, pool.most) == (2, 3)


def test_a_copy_of_a_page_has_its_content_and_memory_of_its_own() -> None:
    pool = PagePool(SHAPE, BUDGET)
    page = pool.take()
    assert page is not None
    page.numbers[:] = 1
    copy = pool.copy(page)
    assert copy is not None
    assert copy.numbers.all()
    copy.numbers[:] = 2
    assert (page.numbers == 1).all()
