import pytest

from demo.bench.dialects import Mode
from demo.bench.pairs import compare_pairs, format_comparison, format_texts, measure_pairs, order_pairs
from demo.bench.sample import Sample
from tests.bench.samples import make_pair, make_sample


def test_the_order_is_random_repeats_with_its_seed_and_both_orders_occur() -> None:
    order = order_pairs(40, seed=1)
    assert order == order_pairs(40, seed=1) != order_pairs(40, seed=2)
    assert {("streamed", "whole"), ("whole", "streamed")} == set(order)
    assert order_pairs(10, seed=1) == order[:10]


def test_each_pair_is_measured_in_its_order() -> None:
    asked: list[Mode] = []

    def measure(mode: Mode) -> Sample:
        asked.append(mode)
        return make_sample(2.0 if mode == "streamed" else 1.0)

    pairs = measure_pairs(measure, [("whole", "streamed"), ("streamed", "whole")])
    assert asked == ["whole", "streamed", "streamed", "whole"]
    assert [pair.difference for pair in pairs] == [1.0, 1.0]


def test_the_difference_is_paired_so_that_common_noise_cancels() -> None:
    comparison = compare_pairs([make_pair(1.01, 1.0), make_pair(9.01, 9.0), make_pair(2.01, 2.0)])
    assert comparison.seconds.mean == pytest.approx(0.01)
    assert comparison.seconds.high - comparison.seconds.low < 1e-9
    assert comparison.percent.mean == pytest.approx(0.25)


@pytest.mark.parametrize(("farther", "bound"), [(0.01, "2.5"), (0.0001, "0.1")])  # 0.025 is rounded up
def test_an_interval_with_zero_is_no_difference_beyond_its_farther_end(farther: float, bound: str) -> None:
    pairs = [make_pair(1.0 + farther, 1.0), make_pair(1.0 - farther, 1.0), make_pair(1.0, 1.0)]
    assert format_comparison(compare_pairs(pairs)) == f"no difference seen beyond ±{bound} %"


@pytest.mark.parametrize(
    ("streamed", "sentence"),
    [
        ((1.010, 1.012, 1.014), "streaming was 1.2 % slower (95 % interval 0.7 to 1.7 %)"),
        ((0.990, 0.988, 0.986), "streaming was 1.2 % faster (95 % interval 0.7 to 1.7 %)"),
    ],
)
def test_an_interval_without_zero_is_a_difference(streamed: tuple[float, ...], sentence: str) -> None:
    assert format_comparison(compare_pairs([make_pair(total, 1.0) for total in streamed])) == sentence


def test_differing_texts_are_counted_in_the_sentence() -> None:
    pairs = [make_pair(1.0, 1.0), make_pair(1.0, 1.0, text="other")]
    assert format_texts(pairs) == "the texts differed in 1 of 2 pairs: a faster different answer is not faster"
    assert "equal in all 1 pairs" in format_texts(pairs[:1])
