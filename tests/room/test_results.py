"""What is said of the guesses: intervals that hold what they promise, and nothing where n is too small."""

import csv
import io
import random
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.interval import estimate_difference
from demo.room.phone import ANIMALS, COLOURS, Phone, shuffle_names
from demo.room.results import (
    COLUMNS,
    MIN_N,
    choose_sentence,
    compare_arms,
    describe_arm,
    write_csv,
    write_results,
)
from demo.room.room import MAX_PHONES
from demo.room.round import ArmDraw, Outcome, Plan, Round, Stop

CLASSES = 600


def simulate(effect: float, seed: int) -> tuple[list[float], list[float]]:
    """The guesses of a class of 25: whole answers feel 6 s long, streamed ones `effect` longer, and scatter less."""
    source = random.Random(f"{effect} {seed}")
    return [source.gauss(6 + effect, 1.2) for _ in range(12)], [source.gauss(6, 2.0) for _ in range(13)]


@pytest.mark.parametrize("effect", [0.0, -1.5, 2.0])
def test_the_interval_of_the_difference_holds_a_known_effect_in_95_of_100_classes(effect: float) -> None:
    differences = [compare_arms(*simulate(effect, seed)) for seed in range(CLASSES)]
    held = fmean(found is not None and found["low"] <= effect <= found["high"] for found in differences)
    assert held == pytest.approx(0.95, abs=0.025)  # 2.8 standard errors


def test_the_interval_of_an_arm_holds_its_mean_in_95_of_100_classes() -> None:
    arms = [describe_arm(simulate(0.0, seed)[1]) for seed in range(CLASSES)]
    held = fmean((arm["low"] or 0) <= 6 <= (arm["high"] or 0) for arm in arms)
    assert held == pytest.approx(0.95, abs=0.025)


def test_no_difference_is_said_where_there_is_none_and_the_right_one_where_there_is() -> None:
    def say(effect: float) -> list[str]:
        classes = [simulate(effect, seed) for seed in range(100)]
        sentences = [choose_sentence(compare_arms(*each), *each, seconds=6.0) for each in classes]
        return [sentence["key"] for sentence in sentences if sentence is not None]

    assert say(0.0).count("no_difference") >= 88
    assert set(say(-5.0)) == {"felt_shorter"}
    assert set(say(5.0)) == {"felt_longer"}


def test_welchs_interval_is_that_of_a_worked_example() -> None:
    # Variances 2.5 and 10; by hand: se^2 = 2.5 / 5 + 10 / 5, 5.88 degrees of freedom, rounded down to 5: t = 2.5706.
    found = estimate_difference([1.0, 2, 3, 4, 5], [2.0, 4, 6, 8, 10])
    margin = 2.5706 * 2.5**0.5
    assert (found.mean, found.low, found.high) == pytest.approx((-3, -3 - margin, -3 + margin), abs=1e-3)


@pytest.mark.parametrize(("streamed", "whole"), [(MIN_N - 1, 40), (40, MIN_N - 1), (0, 0)])
def test_nothing_is_said_where_n_is_too_small(streamed: int, whole: int) -> None:
    arms = [float(n) for n in range(streamed)], [float(n) for n in range(whole)]
    assert compare_arms(*arms) is None
    assert choose_sentence(None, *arms, seconds=6.0) is None


def test_equal_guesses_have_a_difference_without_an_interval() -> None:
    assert compare_arms([2.0] * MIN_N, [3.0] * MIN_N) == {"mean": -1.0, "low": -1.0, "high": -1.0}


def test_one_guess_has_no_interval() -> None:
    assert describe_arm([3.0]) == {"n": 1, "mean": None, "low": None, "high": None, "guesses": [3.0]}


@given(st.integers(0, 200), st.randoms(use_true_random=False))
def test_arms_are_balanced_at_every_moment(phones: int, source: random.Random) -> None:
    draw = ArmDraw("random", source)
    for _ in range(phones):
        draw.next()
        streamed, whole = draw.count().values()
        assert abs(streamed - whole) <= 1


def test_which_arm_a_phone_gets_is_random() -> None:
    firsts = [ArmDraw("random", random.Random(seed)).next() for seed in range(400)]
    assert firsts.count("streamed") == pytest.approx(200, abs=50)


def test_savings_are_added_up() -> None:
    stops = {1: Stop(10, 1.0), 2: Stop(40, 4.0)}
    savings = Round(1, Plan("stop", "hi", False, 100), Outcome(100, seconds=9.0), stops=stops).write_savings()
    assert savings == {"stopped": 2, "tokens_saved": 150, "seconds_saved": 13.0, "at_least": False}


def test_every_phone_has_a_name_of_its_own() -> None:
    names = list(shuffle_names())
    assert len(set(names)) == len(ANIMALS) * len(COLOURS) >= MAX_PHONES


def test_the_table_has_a_line_for_each_phone_and_round_and_no_formula() -> None:
    round = Round(1, Plan("race", "=1+1", False, 8), Outcome(8, 0.1, 2.0, "length"))
    phones = [Phone(number, "otter", "teal", "") for number in (1, 2, 3)]
    for phone in phones[:2]:
        round.draw(phone.number)
    round.end_run()
    round.guess(1, 3.5)
    round.finish()
    first, second = csv.DictReader(io.StringIO(write_csv([round], phones)))
    assert tuple(first) == COLUMNS
    assert (first["phone"], first["felt"], first["prompt"], first["arm"]) == ("1", "3.5", "'=1+1", round.arms[1])
    assert (second["phone"], second["felt"], second["stopped_at"]) == ("2", "", "")
    assert write_results(round)["arms"][round.arms[1]]["guesses"] == [3.5]
