"""From the controls' values to generation options."""

import pytest

from demo.errors import BadRequest
from demo.request import Sampling
from demo.ui.view.options import DEFAULTS, GenerationOptions, read_options


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
