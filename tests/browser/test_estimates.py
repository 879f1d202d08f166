"""What the guesses of felt waits come to: the browser's own arithmetic."""

import math
from collections import Counter
from statistics import fmean, variance
from typing import Any, Final

import pytest
from playwright.sync_api import Page

from demo.interval import t_quantile
from demo.ui.files import PLACE

ESTIMATES: Final = f"{PLACE}/lesson/perceived/estimates.js"
MODES: Final = ("streamed", "whole")


def call(modules: Page, name: str, *arguments: Any) -> Any:
    """What a function of the station's arithmetic returns."""
    script = "async ([module, name, values]) => (await import(module))[name](...values)"
    return modules.evaluate(script, [ESTIMATES, name, list(arguments)])


def test_both_ways_have_lengths_from_the_same_range_and_their_order_is_shuffled(modules: Page) -> None:
    plans = [call(modules, "planRounds", 12) for _ in range(3)]
    orders = [[each["mode"] for each in plan] for plan in plans]
    for plan, order in zip(plans, orders, strict=True):
        assert Counter(order) == {"streamed": 6, "whole": 6}
        for mode in MODES:
            lengths = sorted(each["tokens"] for each in plan if each["mode"] == mode)
            assert [(length - 120) // 30 for length in lengths] == pytest.approx([0, 1, 2, 3, 4, 5], abs=1)
    assert orders[0] != orders[1] or orders[1] != orders[2]


def test_each_place_in_the_order_is_either_way_as_often(modules: Page) -> None:
    script = """async (module) => { const { planRounds } = await import(module);
    return Array.from({ length: 2000 }, () => planRounds(6).map(({ mode }) => mode === "streamed")); }"""
    orders: list[list[bool]] = modules.evaluate(script, ESTIMATES)
    for place in zip(*orders, strict=True):
        assert sum(place) == pytest.approx(1000, abs=6 * math.sqrt(500))
    assert len(set(map(tuple, orders))) == math.comb(6, 3)


def test_the_difference_has_welchs_interval(modules: Page) -> None:
    one, other = [1.5, 1.7, 1.6, 1.2], [0.8, 1.0, 0.9]
    parts = [(variance(values) / len(values), len(values) - 1) for values in (one, other)]
    error = sum(part for part, _ in parts)
    freedom = math.floor(error**2 / sum(part**2 / freedom for part, freedom in parts))
    margin = t_quantile(freedom) * math.sqrt(error)
    mean = fmean(one) - fmean(other)
    found = call(modules, "estimateDifference", one, other)
    assert [found[name] for name in ("low", "mean", "high")] == pytest.approx([mean - margin, mean, mean + margin])
    assert call(modules, "estimateDifference", [2, 2, 2], [1, 1, 1]) == {"mean": 1, "low": 1, "high": 1}


def make_rounds(streamed: list[float], whole: list[float]) -> list[dict[str, Any]]:
    ratios = {"streamed": streamed, "whole": whole}
    return [{"mode": mode, "total": 4, "felt": 4 * ratio} for mode, values in ratios.items() for ratio in values]


def test_nothing_is_said_of_fewer_than_three_guesses_of_each_way(modules: Page) -> None:
    assert call(modules, "describeGuesses", make_rounds([0.8, 0.9, 1.0], [1.5, 1.6])) == ""
    assert call(modules, "describeGuesses", make_rounds([0.8, 0.9], [1.5, 1.6, 1.7, 1.8])) == ""


def test_shorter_longer_and_what_may_be_chance_are_told_apart(modules: Page) -> None:
    low, high = [0.8, 0.9, 1.0], [1.5, 1.6, 1.7]
    for streamed, whole, said in (
        (low, high, "So streaming felt shorter, by 0.70 of the true wait"),
        (high, low, "So streaming felt longer, by 0.70 of the true wait"),
        ([0.5, 1.0, 1.5], low, "That may be chance: these guesses don't tell the two apart."),
    ):
        assert said in call(modules, "describeGuesses", make_rounds(streamed, whole))
