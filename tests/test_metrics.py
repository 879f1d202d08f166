from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.errors import EngineFailed
from demo.events import Done, Event, Failed, Started, Token
from demo.metrics import Timeline, measure_streamed, measure_whole, percentile

SUBMITTED = 100.0

seconds = st.floats(0, 1000, allow_nan=False)
moments = st.lists(seconds, min_size=0, max_size=30).map(sorted)


def make_log(times: list[float], texts: list[str] | None = None, ends: bool = True) -> list[Event]:
    """A run whose prompt is read at once, with a token at each of `times`, ending with the last."""
    texts = ["x"] * len(times) if texts is None else texts
    log: list[Event] = [Started(SUBMITTED, input_tokens=3, seed=0)]
    for index, (time, text) in enumerate(zip(times, texts, strict=True), start=1):
        log.append(Token(SUBMITTED + time, index, index, text, -0.1, special=False))
    if ends:
        log.append(Done(SUBMITTED + (times[-1] if times else 0.0), "length", len(times)))
    return log


@given(moments)
def test_n_tokens_have_n_minus_one_gaps_and_they_add_up(times: list[float]) -> None:
    timeline = measure_streamed(SUBMITTED, make_log(times))
    assert len(timeline.tokens) == len(times)
    assert len(timeline.gaps) == max(len(times) - 1, 0)
    assert timeline.gaps == tuple(later - earlier for earlier, later in pairwise(timeline.tokens))
    if timeline.tpot is not None:
        assert timeline.tpot == pytest.approx(sum(timeline.gaps) / len(timeline.gaps), abs=1e-9)


@given(moments)
def test_whole_is_the_same_run_with_everything_at_its_end(times: list[float]) -> None:
    streamed = measure_streamed(SUBMITTED, make_log(times))
    whole = measure_whole(streamed)
    assert whole.total == streamed.total
    assert len(whole.tokens) == len(streamed.tokens)
    assert set(whole.tokens) <= {streamed.total}
    assert whole.rate is None
    assert whole.ttft == (whole.total if times else None)
    if times:
        assert streamed.ttft is not None
        assert whole.ttft is not None
        assert streamed.ttft <= whole.ttft


@pytest.mark.parametrize(("events", "end"), [([], None), ([Failed(SUBMITTED + 2, EngineFailed("broke"))], 2)])
def test_without_a_token_every_number_is_none_but_the_total_of_a_run_that_has_ended(
    events: list[Event], end: float | None
) -> None:
    timeline = measure_streamed(SUBMITTED, events)
    assert timeline == Timeline(end=end)
    assert (timeline.ttft, timeline.total, timeline.tpot, timeline.rate) == (None, end, None, None)
    assert timeline.gaps == ()


def test_ttft_ends_with_the_first_text_and_not_with_a_later_token_or_the_end() -> None:
    timeline = measure_streamed(SUBMITTED, make_log([1.0, 2.0, 4.0, 8.0], ["", "a", "b", ""]))
    assert (timeline.ttft, timeline.total) == (2, 8)
    assert measure_whole(timeline).ttft == 8


@pytest.mark.parametrize(
    ("times", "gaps", "tpot", "rate"), [([0.5], (), None, None), ([0.5, 1.0, 1.5], (0.5, 0.5), 0.5, 2)]
)
def test_the_rate_is_of_the_tokens_after_the_first(
    times: list[float], gaps: tuple[float, ...], tpot: float | None, rate: float | None
) -> None:
    timeline = measure_streamed(SUBMITTED, make_log(times))
    assert (timeline.ttft, timeline.gaps, timeline.tpot, timeline.rate) == (0.5, gaps, tpot, rate)


def test_while_it_runs_nothing_has_been_seen_of_the_whole() -> None:
    streamed = measure_streamed(SUBMITTED, make_log([1.0, 2.0], ends=False))
    assert streamed.total is None
    assert streamed.rate == pytest.approx(1)
    assert measure_whole(streamed) == Timeline(started=0.0)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50), st.floats(0, 100))
def test_percentile_equals_numpys(values: list[float], q: float) -> None:
    assert percentile(values, q) == pytest.approx(float(np.percentile(values, q)), rel=1e-9, abs=1e-6)


@pytest.mark.parametrize(("q", "expected"), [(0, 10), (25, 17.5), (50, 25), (90, 37), (100, 40)])
def test_a_percentile_lies_between_the_ranks_0_and_n_minus_1(q: float, expected: float) -> None:
    assert percentile([40, 10, 30, 20], q) == pytest.approx(expected)
    assert percentile([], q) is None


def test_every_time_counts_from_the_submission() -> None:
    timeline = measure_streamed(SUBMITTED, make_log([0.5, 0.75]))
    assert timeline == Timeline(started=0.0, ttft=0.5, tokens=(0.5, 0.75), end=0.75)
