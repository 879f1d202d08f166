"""From the controls' values to generation options; the speed and length of the first race."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.errors import BadRequest
from demo.request import Sampling
from demo.ui.view.options import (
    DEFAULT_LENGTH,
    DEFAULT_PACE,
    DEFAULTS,
    REAL_SPEED,
    GenerationOptions,
    choose_length,
    choose_pace,
    list_speeds,
    read_options,
)


def test_temperature_zero_is_greedy_whatever_the_other_controls_say() -> None:
    sampling = read_options([256, 0, 0.5, 40, 1.2, 0, "7", 0]).sampling
    assert sampling == Sampling(repetition_penalty=1.2, seed=7)
    assert not sampling.is_random


def test_every_control_arrives() -> None:
    sampling = Sampling(True, 0.7, top_p=0.9, top_k=40, repetition_penalty=1.2, frequency_penalty=0.5, seed=7)
    assert read_options([64, 0.7, 0.9, 40, 1.2, 0.5, "7", 30]) == GenerationOptions(64, sampling, pace=30)


def test_what_is_off_is_not_sent() -> None:
    assert read_options([256, 1.5, 1, 0, 1, 0, "", 0]) == GenerationOptions(256, Sampling(True, 1.5))


@pytest.mark.parametrize("seed", ["-1", "seven", "1.5", str(2**64), "9" * 5000])
def test_an_invalid_seed_is_one_sentence(seed: str) -> None:
    with pytest.raises(BadRequest, match=f"seed is {seed}: it must be"):
        read_options([64, 0, 1, 0, 1, 0, seed, 0])


def test_untouched_or_empty_controls_have_their_defaults() -> None:
    card = Sampling(True, 0.2, top_p=0.9, repetition_penalty=1.1, seed=1)
    defaults = GenerationOptions(256, card, pace=30)
    assert read_options(list(DEFAULTS.values())) == read_options([None] * len(DEFAULTS)) == defaults


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
