"""The speed and length of the first race."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.ui.view.speed import DEFAULT_LENGTH, DEFAULT_PACE, REAL_SPEED, choose_length, choose_pace, list_speeds


@given(st.floats(0.5, 10_000))
def test_the_first_race_lasts_4_to_20_seconds_on_any_machine(rate: float) -> None:
    pace, length = choose_pace(rate), choose_length(rate)
    seconds = length / min(rate, pace or rate)
    assert 4 <= seconds <= 20 or length < 18  # below a token a second nothing is short enough


@pytest.mark.parametrize(
    ("rate", "pace"),
    [(280.0, DEFAULT_PACE), (64.1, DEFAULT_PACE), (64.0, REAL_SPEED), (5.0, REAL_SPEED), (None, DEFAULT_PACE)],
)
def test_real_speed_is_chosen_only_where_it_is_slow_enough_to_notice(rate: float | None, pace: int) -> None:
    assert choose_pace(rate) == pace


def test_an_unknown_machine_gets_the_default_length() -> None:
    assert choose_length(None) == DEFAULT_LENGTH


def test_the_machines_own_rate_is_shown_once_it_is_known() -> None:
    assert list_speeds(None)[0][0] == "Real speed"
    assert list_speeds(279.6)[0][0] == "Real speed · 280 tokens/s"
    assert [value for _, value in list_speeds(None)] == [0, 100, 30]
