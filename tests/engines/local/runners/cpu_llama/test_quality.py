"""The loss of quality by rounding is bounded, on a text that is no part of any corpus."""

import pytest

from tests.figures.quality import Quality, compare_weights


@pytest.fixture(scope="module")
def quality() -> Quality:
    return compare_weights(context=128, rows=8)


def test_a_thousand_tokens_of_prose_have_the_perplexity_of_a_language_model(quality: Quality) -> None:
    assert quality.tokens >= 1000
    assert 10 < quality.exact < 60  # contexts are short


def test_perplexity_is_within_a_hundredth_of_the_exact_weights(quality: Quality) -> None:
    assert abs(quality.rise) < 0.01


def test_the_mean_divergence_from_the_exact_weights_is_small(quality: Quality) -> None:
    assert 0 < quality.divergence < 0.005


@pytest.mark.parametrize(("rounding", "rise", "divergence"), [("q8_0", 0.03, 0.02), ("q4_1", 0.5, 0.4)])
def test_float16_rounded_at_load_loses_little(rounding: str, rise: float, divergence: float) -> None:
    quality = compare_weights(context=32, rows=4, rounding=rounding)
    assert abs(quality.rise) < rise
    assert 0 < quality.divergence < divergence
