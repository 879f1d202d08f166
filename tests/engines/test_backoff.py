"""Pauses between attempts."""

from demo.engines.backoff import Backoff


def test_each_pause_is_twice_the_last_up_to_the_longest_and_begins_again_after_a_reset() -> None:
    backoff = Backoff(2, 20, draw=lambda: 0.0)
    assert [backoff.choose_pause() for _ in range(6)] == [2, 4, 8, 16, 20, 20]
    backoff.reset()
    assert backoff.choose_pause() == 2
    assert backoff.choose_longest() == 20
    assert backoff.choose_pause() == 4


def test_a_pause_is_up_to_a_fifth_shorter_at_random() -> None:
    assert Backoff(10, 300, draw=lambda: 1.0).choose_pause() == 8
    assert 8 <= Backoff(10, 300).choose_pause() <= 10
