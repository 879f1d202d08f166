import pytest

from demo.bench.levels import ROUNDS, measure_level, summarize_level
from demo.bench.sample import Sample
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
