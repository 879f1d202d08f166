"""What stopping early saved."""

from dataclasses import replace

import pytest

from demo.events import FinishReason
from demo.metrics import Timeline
from demo.request import Message, Request
from demo.ui.view.panes import PaneView
from demo.ui.view.savings import Amount, Saving, describe_saving, list_savings, measure_saving
from demo.ui.view.turn import Question, Turn
from tests.traces import make_trace


def stop(read: int, generated: int, reason: FinishReason) -> Turn:
    """The streamed side was stopped after `read` tokens at 10 tokens/s; the run generated `generated` of up to 100."""
    request = Request((Message("user", "Why?"),), 100)
    trace = make_trace(["a"] * generated, gap=0.1, reason=reason, request=request)
    times = tuple(token.time for token in trace.tokens[:read])
    streamed = PaneView("streamed", "stopped", timeline=Timeline(0.0, times[0], times, times[-1]))
    return Turn(Question("Why?"), streamed, PaneView("whole", "done"), trace)


@pytest.mark.parametrize(
    ("generated", "reason", "all_tokens", "all_seconds"), [(40, "eos_token", 40, 4.0), (10, "cancelled", 100, 10.0)]
)
def test_the_saving_is_exact_where_the_run_ended_and_else_at_most_the_requested_length(
    generated: int, reason: FinishReason, all_tokens: int, all_seconds: float
) -> None:
    saving = measure_saving(stop(10, generated, reason))
    assert saving is not None
    assert (saving.read.tokens, saving.all.tokens, saving.exact) == (10, all_tokens, reason == "eos_token")
    assert [saving.read.seconds, saving.all.seconds] == pytest.approx([1.0, all_seconds])


def test_money_is_tokens_times_the_price_and_waiting_saves_nothing() -> None:
    saving = Saving(Amount(10, 1.0), Amount(40, 4.0), exact=True)
    assert list_savings(saving, price=10) == [
        ("Streaming: read until you stopped", "10", "1.00 s", "$0.000100"),
        ("The whole answer", "40", "4.00 s", "$0.000400"),
        ("Saved by streaming", "30", "3.00 s", "$0.000300"),
        ("Saved without streaming: you can only decide at the end", "0", "0 ms", "$0.000000"),
    ]
    assert list_savings(saving, price=100)[2][3] == "$0.003000"


def test_an_upper_bound_is_marked_as_one() -> None:
    rows = list_savings(Saving(Amount(10, 1.0), Amount(40, 4.0), exact=False), price=10)
    assert rows[1] == (
        "The whole answer, at the requested length",
        *("at most 40", "at most 4.00 s", "at most $0.000400"),
    )
    assert rows[2][1:] == ("at most 30", "at most 3.00 s", "at most $0.000300")


def test_a_reader_later_than_the_engine_has_not_saved_less_than_no_time() -> None:
    assert list_savings(Saving(Amount(10, 4.2), Amount(40, 4.0), exact=True), price=10)[2][2] == "0 ms"


def test_an_answer_read_to_its_end_saved_nothing() -> None:
    turn = Turn(Question("Why?"), PaneView("streamed", "done"), PaneView("whole", "done"), make_trace())
    assert measure_saving(turn) is None
    assert measure_saving(replace(stop(10, 40, "eos_token"), trace=None)) is None
    assert "nothing was saved" in describe_saving(turn)
    assert "press Stop" in describe_saving(None)


def test_a_cancelled_run_without_a_length_or_a_rate_tells_nothing_of_the_rest() -> None:
    stopped = stop(10, 10, "cancelled")
    assert stopped.trace is not None
    endless = replace(stopped.trace, request=replace(stopped.trace.request, max_new_tokens=None))
    assert measure_saving(replace(stopped, trace=endless)) is None
    assert measure_saving(stop(1, 1, "cancelled")) is None


def test_the_saving_is_told_in_a_sentence() -> None:
    assert describe_saving(stop(10, 40, "eos_token")) == "You stopped after 10 tokens and saved 75% of the answer."
    assert "up to 90%" in describe_saving(stop(10, 10, "cancelled"))
