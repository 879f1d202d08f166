import threading

import pytest

from demo.bench.levels import ROUNDS, measure_level, summarize_level
from demo.bench.sample import Sample, Unmeasured
from demo.errors import Overloaded
from tests.bench.samples import make_sample


def test_the_rate_is_all_tokens_over_each_rounds_own_time() -> None:
    first = [make_sample(2.0, tokens=(1.0, 2.0), sent=10.0), make_sample(2.0, tokens=(1.0, 2.0), sent=11.0)]
    second = [make_sample(1.0, tokens=(0.5, 1.0), sent=99.0), None]
    level = summarize_level(2, [first, second])
    assert (level.streams, level.refused) == (3, 1)
    assert level.tokens_per_second == pytest.approx(6 / (3 + 1))
    assert level.ttft_p50 == 1.0


def test_where_all_are_refused_there_is_no_rate() -> None:
    level = summarize_level(2, [[None, None]])
    assert (level.refused, level.tokens_per_second, level.ttft_p50, level.ttft_p95) == (2, None, None, None)


def test_the_streams_of_a_round_are_under_way_together_and_the_first_round_is_dropped() -> None:
    together = threading.Barrier(4)

    def measure() -> Sample:
        together.wait(timeout=10)
        return make_sample(1.0, tokens=(0.5, 1.0))

    assert measure_level(measure, 4).streams == 4 * ROUNDS


def test_a_refusal_is_counted() -> None:
    def measure() -> Sample:
        raise Overloaded("full")

    assert measure_level(measure, 2).refused == 2 * ROUNDS


def test_another_failure_ends_the_measurement() -> None:
    def measure() -> Sample:
        raise Unmeasured("broken")

    with pytest.raises(Unmeasured, match="broken"):
        measure_level(measure, 2)
