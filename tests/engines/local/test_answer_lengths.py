"""The expected length of an answer is one of those that ended lately, and never less than what is there."""

from hypothesis import given
from hypothesis import strategies as st

from demo.engines.local.answer_lengths import ENOUGH, AnswerLengths


def test_without_any_that_ended_the_longest_is_expected() -> None:
    assert AnswerLengths().expect("a", 0, 100, 0.5) == 100


def test_of_many_answers_some_are_expected_to_be_short_and_some_long() -> None:
    lengths = AnswerLengths()
    for tokens in range(10, 110, 10):
        lengths.note("a", tokens, was_cut=False)
    expected = sorted(lengths.expect("a", 0, 1000, lengths.take_rank()) for _ in range(100))
    assert (expected[0], expected[-1]) == (10, 100)
    assert 40 <= expected[50] <= 70


def test_an_answer_that_was_cut_would_have_gone_on_to_any_limit() -> None:
    lengths = AnswerLengths()
    lengths.note("a", 20, was_cut=True)
    assert lengths.expect("a", 0, 300, 0.5) == 300


def test_a_clients_own_answers_count_where_they_are_enough() -> None:
    lengths = AnswerLengths()
    for _ in range(ENOUGH):
        lengths.note("short", 5, was_cut=False)
        lengths.note("long", 50, was_cut=False)
    assert lengths.expect("short", 0, 100, 0.9) == 5
    assert lengths.expect("new", 0, 100, 0.9) == 50


@given(st.lists(st.integers(1, 100)), st.integers(0, 99), st.floats(0, 0.999))
def test_it_is_more_than_what_is_there_and_at_most_the_limit(ended: list[int], generated: int, rank: float) -> None:
    lengths = AnswerLengths()
    for tokens in ended:
        lengths.note("a", tokens, was_cut=False)
    assert generated < lengths.expect("a", generated, 100, rank) <= 100
