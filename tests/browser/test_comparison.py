"""What is said of pairs and of guesses, and how sure: the browser's own arithmetic, against the benchmark's."""

import math
import random
import re
from collections import Counter
from statistics import fmean, variance
from typing import Any

import pytest
from playwright.sync_api import Page

from demo.bench.pairs import compare_pairs, format_comparison, format_texts
from demo.interval import estimate_mean, t_quantile
from demo.ui.files import PLACE
from tests.bench.samples import make_pair
from tests.browser.conftest import call

COMPARISON = "lesson/pairs/comparison"
INTERVAL = "lesson/pairs/interval"
ESTIMATES = "lesson/perceived/estimates"
LOW, HIGH = [0.8, 0.9, 1.0], [1.5, 1.6, 1.7]


def test_the_browsers_quantile_and_interval_are_the_benchmarks(modules: Page) -> None:
    for freedom in (1, 2, 3, 4, 9, 10, 39, 40, 120):
        assert call(modules, INTERVAL, "tQuantile", freedom) == pytest.approx(t_quantile(freedom), rel=1e-9)
    draw = random.Random(4)
    for count in (2, 3, 4, 10, 40):
        values = [draw.gauss(0.01, 0.03) for _ in range(count)]
        found, expected = call(modules, INTERVAL, "estimateMean", values), estimate_mean(values)
        for name in ("mean", "low", "high"):
            assert found[name] == pytest.approx(getattr(expected, name), rel=1e-9), (name, count)


def test_the_browser_says_what_the_benchmark_says_of_the_same_pairs(modules: Page) -> None:
    draw = random.Random(5)
    sentences = set()
    for shift in (-0.3, -0.01, -0.0004, 0.0, 0.0004, 0.01, 0.3):
        wholes = [draw.uniform(1, 2) for _ in range(6)]
        totals = [(whole + shift + draw.gauss(0, 0.002), whole) for whole in wholes]
        said, expected = _compare(modules, totals)
        assert said == [f"{sentence[0].upper()}{sentence[1:]}." for sentence in expected]
        sentences.add(re.sub(r"[\d.]+", "", said[0]))
    assert {words.split()[0] for words in sentences} == {"No", "Streaming"}
    assert any("slower" in words for words in sentences)
    assert any("faster" in words for words in sentences)


def _compare(modules: Page, totals: list[tuple[float, float]]) -> tuple[list[str], list[str]]:
    """What the browser says of pairs of (streamed, whole), the last with differing texts; and the benchmark."""
    texts = ["same"] * (len(totals) - 1) + ["other"]
    shown = [
        {"streamed": {"total": streamed, "text": "same"}, "whole": {"total": whole, "text": text}}
        for (streamed, whole), text in zip(totals, texts, strict=True)
    ]
    pairs = [make_pair(streamed, whole) for streamed, whole in totals[:-1]]
    pairs.append(make_pair(*totals[-1], text="other"))
    comparison = compare_pairs(pairs)
    found = call(modules, COMPARISON, "comparePairs", shown)
    assert found["percent"]["mean"] == pytest.approx(comparison.percent.mean, rel=1e-9)
    said = [call(modules, COMPARISON, "describeComparison", found), call(modules, COMPARISON, "describeTexts", shown)]
    return said, [format_comparison(comparison), format_texts(pairs)]


def test_each_order_occurs_as_often_as_the_other_and_is_shuffled(modules: Page) -> None:
    orders = [call(modules, COMPARISON, "orderPairs", 40) for _ in range(3)]
    for order in orders:
        assert Counter(map(tuple, order)) == {("streamed", "whole"): 20, ("whole", "streamed"): 20}
    assert orders[0] != orders[1] != orders[2]
    odd = Counter(map(tuple, call(modules, COMPARISON, "orderPairs", 5)))
    assert sorted(odd.values()) == [2, 3]


def test_wholes_that_scatter_by_more_than_5_percent_are_called_a_busy_machine(modules: Page) -> None:
    def warn(*wholes: float) -> str:
        pairs = [{"streamed": {"total": 1.0}, "whole": {"total": whole}} for whole in wholes]
        said: str = call(modules, COMPARISON, "describeNoise", pairs)
        return said

    assert warn(0.200, 0.202, 0.198, 0.201) == ""
    assert warn(0.2, 0.25, 0.2, 0.25).startswith(
        "The machine was busy: the same request, whole, took 200 ms to 250 ms (standard deviation 13 %). Close"
    )


def test_the_numbers_of_a_sentence_have_the_same_decimal_places(modules: Page) -> None:
    comparison = {"percent": {"mean": 0.253, "low": 0.0058, "high": 0.5}}
    said = call(modules, COMPARISON, "describeComparison", comparison)
    assert said == "Streaming was 0.253 % slower (95 % interval 0.006 to 0.500 %)."


@pytest.mark.parametrize(("rate", "pace"), [(None, None), (124, None), (125, 100)])
def test_a_fast_model_is_slowed_until_somebody_chooses(modules: Page, rate: float | None, pace: float | None) -> None:
    assert call(modules, COMPARISON, "choosePace", rate) == pace


# --- guesses of felt waits -------------------------------------------------------------------------------------------


def test_both_ways_have_lengths_from_the_same_range_and_their_order_is_shuffled(modules: Page) -> None:
    plans = [call(modules, ESTIMATES, "planRounds", 12) for _ in range(3)]
    orders = [[each["mode"] for each in plan] for plan in plans]
    for plan, order in zip(plans, orders, strict=True):
        assert Counter(order) == {"streamed": 6, "whole": 6}
        for mode in ("streamed", "whole"):
            lengths = sorted(each["tokens"] for each in plan if each["mode"] == mode)
            assert [(length - 120) // 30 for length in lengths] == pytest.approx([0, 1, 2, 3, 4, 5], abs=1)
    assert orders[0] != orders[1] or orders[1] != orders[2]


def test_each_place_in_the_order_is_either_way_as_often(modules: Page) -> None:
    script = """async (module) => { const { planRounds } = await import(module);
    return Array.from({ length: 2000 }, () => planRounds(6).map(({ mode }) => mode === "streamed")); }"""
    orders: list[list[bool]] = modules.evaluate(script, f"{PLACE}/{ESTIMATES}.js")
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
    found = call(modules, ESTIMATES, "estimateDifference", one, other)
    assert [found[name] for name in ("low", "mean", "high")] == pytest.approx([mean - margin, mean, mean + margin])
    assert call(modules, ESTIMATES, "estimateDifference", [2, 2, 2], [1, 1, 1]) == {"mean": 1, "low": 1, "high": 1}


def make_rounds(streamed: list[float], whole: list[float]) -> list[dict[str, Any]]:
    ratios = {"streamed": streamed, "whole": whole}
    return [{"mode": mode, "total": 4, "felt": 4 * ratio} for mode, values in ratios.items() for ratio in values]


def test_nothing_is_said_of_fewer_than_three_guesses_of_each_way(modules: Page) -> None:
    assert call(modules, ESTIMATES, "describeGuesses", make_rounds(LOW, HIGH[:2])) == ""
    assert call(modules, ESTIMATES, "describeGuesses", make_rounds(LOW[:2], [*HIGH, 1.8])) == ""


def test_shorter_longer_and_what_may_be_chance_are_told_apart(modules: Page) -> None:
    for streamed, whole, said in (
        (LOW, HIGH, "So streaming felt shorter, by 0.70 of the true wait"),
        (HIGH, LOW, "So streaming felt longer, by 0.70 of the true wait"),
        ([0.5, 1.0, 1.5], LOW, "That may be chance: these guesses don't tell the two apart."),
    ):
        assert said in call(modules, ESTIMATES, "describeGuesses", make_rounds(streamed, whole))
