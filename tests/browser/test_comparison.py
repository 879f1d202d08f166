"""What is said of pairs, and how sure: the browser's own arithmetic against the benchmark's."""

import random
import re
from collections import Counter
from typing import Any

import pytest
from playwright.sync_api import Page

from demo.bench.pairs import compare_pairs, format_comparison, format_texts
from demo.interval import estimate_mean, t_quantile
from demo.ui.files import PLACE
from tests.bench.samples import make_pair


def call(page: Page, module: str, name: str, *arguments: Any) -> Any:
    """What a function of a module that the page serves returns."""
    script = "async ([module, name, values]) => (await import(module))[name](...values)"
    return page.evaluate(script, [f"{PLACE}/lesson/pairs/{module}.js", name, list(arguments)])


def test_the_browsers_quantile_and_interval_are_the_benchmarks(modules: Page) -> None:
    for freedom in (1, 2, 3, 4, 9, 10, 39, 40, 120):
        assert call(modules, "interval", "tQuantile", freedom) == pytest.approx(t_quantile(freedom), rel=1e-9)
    draw = random.Random(4)
    for count in (2, 3, 4, 10, 40):
        values = [draw.gauss(0.01, 0.03) for _ in range(count)]
        found, expected = call(modules, "interval", "estimateMean", values), estimate_mean(values)
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
    found = call(modules, "comparison", "comparePairs", shown)
    assert found["percent"]["mean"] == pytest.approx(comparison.percent.mean, rel=1e-9)
    said = [
        call(modules, "comparison", "describeComparison", found),
        call(modules, "comparison", "describeTexts", shown),
    ]
    return said, [format_comparison(comparison), format_texts(pairs)]


def test_each_order_occurs_as_often_as_the_other_and_is_shuffled(modules: Page) -> None:
    orders = [call(modules, "comparison", "orderPairs", 40) for _ in range(3)]
    for order in orders:
        assert Counter(map(tuple, order)) == {("streamed", "whole"): 20, ("whole", "streamed"): 20}
    assert orders[0] != orders[1] != orders[2]
    odd = Counter(map(tuple, call(modules, "comparison", "orderPairs", 5)))
    assert sorted(odd.values()) == [2, 3]


def test_wholes_that_scatter_by_more_than_5_percent_are_called_a_busy_machine(modules: Page) -> None:
    def warn(*wholes: float) -> str:
        pairs = [{"streamed": {"total": 1.0}, "whole": {"total": whole}} for whole in wholes]
        said: str = call(modules, "comparison", "describeNoise", pairs)
        return said

    assert warn(0.200, 0.202, 0.198, 0.201) == ""
    assert warn(0.2, 0.25, 0.2, 0.25).startswith(
        "The machine was busy: the same request, whole, took 200 ms to 250 ms (standard deviation 13 %). Close"
    )


def test_the_numbers_of_a_sentence_have_the_same_decimal_places(modules: Page) -> None:
    comparison = {"percent": {"mean": 0.253, "low": 0.0058, "high": 0.5}}
    said = call(modules, "comparison", "describeComparison", comparison)
    assert said == "Streaming was 0.253 % slower (95 % interval 0.006 to 0.500 %)."


@pytest.mark.parametrize(("rate", "pace"), [(None, None), (124, None), (125, 100)])
def test_where_nobody_has_chosen_a_fast_model_is_slowed_to_100_tokens_a_second(
    modules: Page, rate: float | None, pace: float | None
) -> None:
    assert call(modules, "comparison", "choosePace", rate) == pace
