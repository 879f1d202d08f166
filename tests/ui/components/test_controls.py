"""From the drawer's positions to a Sampling."""

import pytest

from demo.errors import BadRequest
from demo.events import Sampling
from demo.ui.view.options import DEFAULTS, GenerationOptions, read_options


def test_as_it_stands_the_drawer_means_greedy() -> None:
    assert read_options([256, 0, 1, 0, 1, 0, "", 0]) == GenerationOptions(256, Sampling())


def test_temperature_zero_is_greedy_whatever_the_other_dials_say() -> None:
    sampling = read_options([256, 0, 0.5, 40, 1.2, 0, "7", 0]).sampling
    assert not sampling.is_random
    assert (sampling.repetition_penalty, sampling.seed) == (1.2, 7)


def test_every_dial_arrives() -> None:
    assert read_options([64, 0.7, 0.9, 40, 1.2, 0.5, "7", 30]) == GenerationOptions(
        64,
        Sampling(
            do_sample=True,
            temperature=0.7,
            top_p=0.9,
            top_k=40,
            repetition_penalty=1.2,
            frequency_penalty=0.5,
            seed=7,
        ),
        pace=30,
    )


@pytest.mark.parametrize("seed", ["-1", "seven", "1.5", str(2**64), "9" * 5000])
def test_a_seed_that_is_none_is_one_sentence(seed: str) -> None:
    with pytest.raises(BadRequest, match=f"seed is {seed}: it must be"):
        read_options([64, 0, 1, 0, 1, 0, seed, 0])


def test_the_defaults_stand_in_the_order_of_the_dials() -> None:
    assert read_options(list(DEFAULTS.values())) == GenerationOptions(256, Sampling(repetition_penalty=1.1), pace=30)
