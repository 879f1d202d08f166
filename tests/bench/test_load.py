import itertools
from statistics import fmean

import pytest

from demo.bench.load import ROUNDS, measure_level, schedule_arrivals, summarize_level, summarize_open_loop
from demo.bench.sample import MeasurementError, Sample
from tests.bench.samples import make_sample


def test_the_rate_is_all_tokens_over_the_time_of_each_round() -> None:
    first = [make_sample(2.0, tokens=(1.0, 2.0), sent=10.0), make_sample(2.0, tokens=(1.0, 2.0), sent=11.0)]
    second = [make_sample(1.0, tokens=(0.5, 1.0), sent=99.0), None]
    level = summarize_level(2, [first, second])
    assert (level.streams, level.refused) == (3, 1)
    assert level.tokens_per_second == pytest.approx(6 / (3 + 1))
    assert level.ttft_p50 == 1.0


def test_where_every_request_is_refused_there_is_no_rate() -> None:
    level = summarize_level(2, [[None, None]])
    assert (level.refused, level.tokens_per_second, level.ttft_p50, level.ttft_p95) == (2, None, None, None)


def test_the_first_round_is_dropped() -> None:
    ttfts = iter((9.0, 0.1, 0.2, 0.3))

    def measure_together(streams: int) -> list[Sample | None]:
        ttft = next(ttfts)
        return [make_sample(1.0, tokens=(ttft, 1.0))] * streams

    level = measure_level(measure_together, 4)
    assert (level.rounds, level.streams, level.ttft_p50, level.ttft_p95) == (ROUNDS, 4 * ROUNDS, 0.2, 0.3)


def test_arrivals_are_a_poisson_process_and_a_seed_repeats_them() -> None:
    starts = schedule_arrivals(2000, 4.0, seed=1)
    gaps = [later - earlier for earlier, later in itertools.pairwise(starts)]
    assert starts[0] == 0.0
    assert fmean(gaps) == pytest.approx(1 / 4.0, rel=0.1)
    assert fmean((gap - 0.25) ** 2 for gap in gaps) == pytest.approx(0.25**2, rel=0.25)  # exponential: sd = mean
    assert starts == schedule_arrivals(2000, 4.0, seed=1) != schedule_arrivals(2000, 4.0, seed=2)


def test_goodput_counts_what_met_every_limit_and_no_refusal_or_failure() -> None:
    good = make_sample(1.0, tokens=(0.1, 0.2, 0.3))
    late = make_sample(2.0, tokens=(0.6, 0.7, 0.8), sent=1.0)
    slow = make_sample(2.0, tokens=(0.1, 0.9, 1.7), sent=2.0)
    loop = summarize_open_loop(
        1.0, 0, {"ttft": 0.5, "tpot": 0.5}, [good, late, slow, None, MeasurementError("cut off")]
    )
    assert (loop.requests, loop.refused, loop.failed, loop.first_failure) == (5, 1, 1, "cut off")
    assert (loop.within, loop.good) == ({"ttft": 2, "tpot": 2}, 1)
    assert loop.goodput == pytest.approx(1 / 4.0)  # from the first start, 0, to the last end, 4


def test_itl_is_of_every_gap_and_a_limit_on_it_of_the_longest() -> None:
    sample = make_sample(1.0, tokens=(0.1, 0.2, 0.6))
    loop = summarize_open_loop(1.0, 0, {"itl": 0.3}, [sample])
    assert (loop.metrics["itl"].n, loop.good) == (2, 0)


def test_where_nothing_is_answered_there_are_no_numbers() -> None:
    loop = summarize_open_loop(1.0, 0, {"ttft": 1.0}, [None])
    assert (loop.seconds, loop.goodput, loop.metrics["ttft"].p99, loop.good) == (None, None, None, 0)
