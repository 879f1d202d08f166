"""How much of a prompt is read at a time."""

import pytest

from demo.engines.local.batch import Chunks

CHUNKS = Chunks(alone=100, among_others=4, of_many=40)


def test_alone_as_much_as_a_cancel_may_wait_for() -> None:
    assert CHUNKS.choose(rows=0, prompts=1) == CHUNKS.choose(rows=0, prompts=8) == 100


def test_while_others_wait_for_their_time_no_more_than_they_can_wait_for() -> None:
    assert CHUNKS.choose(rows=0, parked=1) == 40
    assert CHUNKS.choose(rows=1, parked=1) == CHUNKS.choose(rows=1)
    assert Chunks(alone=2048, among_others=512).choose(rows=0, parked=3) == 512


@pytest.mark.parametrize(("rows", "size"), [(1, 5), (8, 12), (60, 64)])
def test_among_others_as_long_as_their_step(rows: int, size: int) -> None:
    assert CHUNKS.choose(rows) == size


@pytest.mark.parametrize(("rows", "size"), [(1, 4), (2, 4), (3, 8), (16, 32)])
def test_beside_rows_in_whole_units(rows: int, size: int) -> None:
    assert Chunks(among_others=0, each_row=2, unit=4).choose(rows) == size


@pytest.mark.parametrize(("rows", "prompts", "size"), [(1, 3, 15), (1, 8, 40), (8, 2, 24), (8, 8, 40), (60, 8, 64)])
def test_the_more_wait_the_more_is_read_up_to_a_limit(rows: int, prompts: int, size: int) -> None:
    assert CHUNKS.choose(rows, prompts) == size


@pytest.mark.parametrize(("rows", "size"), [(1, 1), (7, 7), (8, 16), (16, 32)])
def test_among_many_twice_as_much_for_each(rows: int, size: int) -> None:
    assert Chunks(among_others=0, many=8).choose(rows) == size
