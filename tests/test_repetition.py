"""An answer that repeats itself is noticed, and nothing else is."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demo.repetition import COPIES, LONGEST_PERIOD, SHORTEST_LOOP, find_period


def count_needed(period: int) -> int:
    return max(SHORTEST_LOOP, COPIES * period)


@given(st.integers(1, LONGEST_PERIOD), st.lists(st.integers(-9, -1), max_size=20))
@settings(max_examples=40)
def test_a_loop_is_noticed_with_its_last_token_and_not_before(period: int, before: list[int]) -> None:
    loop = [place % period for place in range(count_needed(period))]
    assert find_period([*before, *loop]) == period
    assert find_period([*before, *loop[:-1]]) is None


def test_a_longer_period_is_no_loop() -> None:
    period = LONGEST_PERIOD + 1
    assert find_period([place % period for place in range(10 * period)]) is None


@pytest.mark.parametrize("changed", [-1, -10, -SHORTEST_LOOP])
def test_a_single_other_token_among_the_copies_is_enough_to_go_on(changed: int) -> None:
    tokens = ["a", "b"] * SHORTEST_LOOP
    assert find_period(tokens) == 2
    tokens[changed] = "c"
    assert find_period(tokens) is None


def test_a_numbered_list_is_no_loop() -> None:
    assert find_period([token for number in range(100) for token in (number, ".", "Cheese", "\n")]) is None
