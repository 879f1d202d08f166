"""Thirty phones over real sockets: the figure with two hundred, smaller."""

import pytest

from demo.metrics import percentile
from tests.figures.room import StampingEngine, race
from tests.scripted import TypingEngine

PHONES = 30
WORDS = [f"word{number} " for number in range(40)]


@pytest.mark.parametrize("pace", [None, 40.0])
def test_they_join_at_once_and_all_receive_every_token_in_time(pace: float | None) -> None:
    measured = race(StampingEngine(TypingEngine(WORDS, 0.005)), PHONES, {"tokens_per_second": pace})
    assert measured.joining < 10
    assert len(measured.lateness) == PHONES // 2 * len(WORDS)
    assert min(measured.lateness) >= 0
    assert (percentile(measured.lateness, 50) or 1) < 0.5  # on a busy machine; the figure is of a quiet one
