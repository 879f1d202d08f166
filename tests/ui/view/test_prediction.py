"""The documentation's example: predicted and measured."""

from dataclasses import replace

import pytest

from demo.metrics import Timeline
from demo.trace import Trace
from demo.ui.view.panes import PaneView
from demo.ui.view.prediction import describe_reached, describe_source, find_rate, list_moments
from demo.ui.view.turn import Example, Question, Turn
from tests.traces import make_trace

THOUSAND = Example(1000, 100)


def turn(rate: float, pace: float | None = None, recorded: bool = False) -> Turn:
    """A run of ten tokens at `rate`."""
    trace = make_trace(["a"] * 10, gap=1 / rate, pace=pace)
    times = tuple(token.time for token in trace.tokens)
    streamed = PaneView("streamed", "done", timeline=Timeline(0.0, times[0], times, times[-1]))
    whole = PaneView("whole", "done", timeline=Timeline(0.0, times[-1], (times[-1],) * 10, times[-1]))
    asked = Question("Once", "recording" if recorded else "example", trace if recorded else None)
    return Turn(asked, streamed, whole, trace)


def test_a_thousand_tokens_at_a_hundred_a_second_are_half_there_after_five_seconds() -> None:
    rows = list_moments(THOUSAND, find_rate([], THOUSAND), None)
    assert rows[0] == ("Streaming, predicted", "at once", "5.00 s", "10.0 s")
    assert rows[2] == ("Non-streaming, predicted", "10.0 s", "10.0 s", "10.0 s")
    assert rows[1][1:] == rows[3][1:] == ("–", "–", "–")


def test_what_was_measured_stands_beside_it() -> None:
    rows = list_moments(Example(10, 100), 100, turn(10, pace=100))
    assert rows[1] == ("Streaming, measured", "100 ms", "500 ms", "1.00 s")
    assert rows[3] == ("Non-streaming, measured", "1.00 s", "1.00 s", "1.00 s")


def test_a_machine_slower_than_the_dial_is_said_to_be_and_predicted_from() -> None:
    rate = find_rate([turn(20)], THOUSAND)
    assert rate == pytest.approx(20)
    assert list_moments(THOUSAND, rate, None)[0][2:] == ("25.0 s", "50.0 s")
    assert "makes 20.0 tokens/s, fewer than the 100 asked for" in describe_source(THOUSAND, rate)


def test_a_machine_that_keeps_up_is_predicted_from_the_rate_asked_for() -> None:
    assert find_rate([turn(200)], THOUSAND) == 100
    assert find_rate([turn(99, pace=100)], THOUSAND) == 100
    assert "from the rate asked for, 100 tokens/s" in describe_source(THOUSAND, 100)


def test_what_was_reached_is_said_beside_what_was_asked_for_as_the_decode_rate() -> None:
    late = turn(80, pace=100)
    delayed = tuple(time + 5 for time in late.streamed.timeline.tokens)
    late = replace(late, streamed=replace(late.streamed, timeline=Timeline(0.0, delayed[0], delayed, delayed[-1])))
    assert describe_reached(Example(10, 100), late) == (
        "Asked for 100 tokens/s, measured 80.0: 9 tokens in the 112 ms after the first."
    )
    assert describe_reached(Example(10, None), turn(280)).startswith("At real speed, measured 280.0: 9 tokens")


def test_an_end_before_the_length_asked_for_is_said_and_of_one_token_there_is_no_rate() -> None:
    assert describe_reached(THOUSAND, turn(100, pace=100)).endswith(" It ended before 1,000 tokens.")
    single = turn(100)
    single = replace(single, streamed=replace(single.streamed, timeline=Timeline(0.0, 0.1, (0.1,), 0.1)))
    assert describe_reached(THOUSAND, single) == "Asked for 100 tokens/s: too few tokens came to measure a rate."


def test_a_run_that_was_slowed_down_says_nothing_of_what_the_machine_can_do() -> None:
    assert find_rate([turn(20), turn(10, pace=10)], THOUSAND) == pytest.approx(20)
    assert find_rate([turn(10, pace=10)], THOUSAND) == 100


def test_at_real_speed_nothing_is_predicted_before_the_first_run() -> None:
    real = Example(300, None)
    assert find_rate([], real) is None
    assert list_moments(real, None, None)[0][1:] == ("–", "–", "–")
    assert "not known before its first run" in describe_source(real, None)
    rate = find_rate([turn(50)], real)
    assert "50.0 tokens/s that this machine made" in describe_source(real, rate)


def test_a_recorded_run_or_one_that_broke_says_nothing_of_this_machine() -> None:
    broken = replace(turn(20), trace=None)
    short: Trace = make_trace(["a"])
    assert find_rate([turn(20, recorded=True), broken, replace(turn(20), trace=short)], THOUSAND) == 100
