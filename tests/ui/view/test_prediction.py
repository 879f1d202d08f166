"""The documentation's example: predicted and measured."""

from dataclasses import replace

import pytest

from demo.metrics import Timeline
from demo.ui.view.options import GenerationOptions
from demo.ui.view.panes import PaneView
from demo.ui.view.prediction import describe_measured, describe_source, find_rate, list_moments
from demo.ui.view.turn import Question, Turn
from tests.traces import make_trace

THOUSAND = GenerationOptions(1000, pace=100)
REAL = GenerationOptions(300, pace=None)


def run(rate: float, pace: float | None = None, count: int = 10, late: float = 0.0) -> Turn:
    """A run of `count` tokens at `rate`, each of them `late` by so many seconds."""
    trace = make_trace(["a"] * count, gap=1 / rate, pace=pace)
    times = tuple(token.time + late for token in trace.tokens)
    streamed = PaneView("streamed", "done", timeline=Timeline(0.0, times[0], times, times[-1]))
    whole = PaneView("whole", "done", timeline=Timeline(0.0, times[-1], (times[-1],) * count, times[-1]))
    return Turn(Question("Once", "example"), streamed, whole, trace)


def test_a_thousand_tokens_at_a_hundred_a_second_are_half_there_after_five_seconds() -> None:
    rows = list_moments(THOUSAND, find_rate([], THOUSAND), None)
    assert rows[0] == ("Streaming, predicted", "at once", "5.00 s", "10.0 s")
    assert rows[2] == ("Non-streaming, predicted", "10.0 s", "10.0 s", "10.0 s")
    assert rows[1][1:] == rows[3][1:] == ("–", "–", "–")


def test_what_was_measured_stands_beside_the_prediction() -> None:
    rows = list_moments(GenerationOptions(10, pace=100), 100, run(10, pace=100))
    assert rows[1] == ("Streaming, measured", "100 ms", "500 ms", "1.00 s")
    assert rows[3] == ("Non-streaming, measured", "1.00 s", "1.00 s", "1.00 s")
    assert list_moments(GenerationOptions(5), 100, run(10, count=5))[1][2] == "300 ms"


def test_a_slower_machine_is_named_and_predicted_from() -> None:
    rate = find_rate([run(20)], THOUSAND)
    assert rate == pytest.approx(20)
    assert list_moments(THOUSAND, rate, None)[0][2:] == ("25.0 s", "50.0 s")
    assert "generates 20.0 tokens/s, fewer than the requested 100" in describe_source(THOUSAND, rate)


def test_a_machine_that_keeps_up_is_predicted_from_the_requested_rate() -> None:
    assert find_rate([run(200)], THOUSAND) == 100
    assert find_rate([run(99, pace=100)], THOUSAND) == 100
    assert "from the requested rate, 100 tokens/s" in describe_source(THOUSAND, 100)


def test_the_measured_decode_rate_stands_beside_the_requested_one() -> None:
    late = run(80, pace=100, late=5)
    assert describe_measured(GenerationOptions(10, pace=100), late) == (
        "Requested 100 tokens/s, measured 80.0: 9 tokens in the 112 ms after the first."
    )
    assert describe_measured(GenerationOptions(10, pace=None), run(280)).startswith(
        "At real speed, measured 280.0: 9 tokens"
    )


def test_an_early_end_is_told_and_one_token_has_no_rate() -> None:
    assert describe_measured(THOUSAND, run(100, pace=100)).endswith(" It ended before 1,000 tokens.")
    assert describe_measured(THOUSAND, run(100, count=1)) == "Requested 100 tokens/s: too few tokens to measure a rate."


def test_a_slowed_run_tells_nothing_of_what_the_machine_can_do() -> None:
    assert find_rate([run(20), run(10, pace=10)], THOUSAND) == pytest.approx(20)
    assert find_rate([run(10, pace=10)], THOUSAND) == 100


def test_at_real_speed_nothing_is_predicted_before_the_first_run() -> None:
    assert find_rate([], REAL) is None
    assert list_moments(REAL, None, None)[0][1:] == ("–", "–", "–")
    assert "not known before its first run" in describe_source(REAL, None)
    assert "50.0 tokens/s of this machine's last run" in describe_source(REAL, find_rate([run(50)], REAL))


def test_a_recorded_run_or_one_that_failed_tells_nothing_of_this_machine() -> None:
    recorded = replace(run(20), question=Question("Once", "recording"))
    assert find_rate([recorded, replace(run(20), trace=None), run(20, count=1)], THOUSAND) == 100
