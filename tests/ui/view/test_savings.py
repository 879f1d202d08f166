"""What stopping early saved."""

import pytest

from demo.events import FinishReason, Message, Request
from demo.metrics import Timeline
from demo.ui.view.panes import PaneView
from demo.ui.view.savings import Answer, Saving, describe_saving, list_savings, measure_saving
from demo.ui.view.turn import Question, Turn
from tests.traces import make_trace


def stopped(read: int, made: int, reason: FinishReason, limit: int = 100) -> Turn:
    """The streamed side stopped after `read` tokens at 10 tokens/s; the run made `made`."""
    request = Request((Message("user", "Why?"),), limit)
    trace = make_trace(["a"] * made, gap=0.1, reason=reason, request=request)
    times = tuple(token.time for token in trace.tokens[:read])
    streamed = PaneView("streamed", "stopped", timeline=Timeline(0.0, times[0], times, times[-1]))
    return Turn(Question("Why?", "turn"), streamed, PaneView("whole", "done"), trace)


def test_it_is_exact_where_the_other_side_went_on_to_the_end() -> None:
    saving = measure_saving(stopped(10, 40, "eos_token"))
    assert saving is not None
    assert (saving.read.tokens, saving.all.tokens, saving.exact) == (10, 40, True)
    assert saving.all.seconds - saving.read.seconds == pytest.approx(3.0)


def test_it_is_at_most_the_length_asked_for_where_the_work_was_stopped_too() -> None:
    saving = measure_saving(stopped(10, 10, "cancelled"))
    assert saving is not None
    assert (saving.read.tokens, saving.all.tokens, saving.exact) == (10, 100, False)
    assert saving.all.seconds == pytest.approx(10.0)


def test_money_follows_the_dial_and_waiting_saves_nothing() -> None:
    rows = list_savings(Saving(Answer(10, 1.0), Answer(40, 4.0), exact=True), price=10)
    assert rows[2] == ("Saved by streaming", "30", "3.00 s", "$0.000300")
    assert rows[3][1:] == ("0", "0 ms", "$0.000000")
    assert list_savings(Saving(Answer(10, 1.0), Answer(40, 4.0), exact=True), price=100)[2][3] == "$0.003000"


def test_what_is_only_a_bound_says_so() -> None:
    rows = list_savings(Saving(Answer(10, 1.0), Answer(40, 4.0), exact=False), price=10)
    assert rows[2][1:] == ("at most 30", "at most 3.00 s", "at most $0.000300")


def test_who_read_to_the_end_saved_nothing() -> None:
    trace = make_trace()
    turn = Turn(Question("Why?", "turn"), PaneView("streamed", "done"), PaneView("whole", "done"), trace)
    assert measure_saving(turn) is None
    assert "nothing was saved" in describe_saving(turn)
    assert "press Stop" in describe_saving(None)


def test_it_is_said_in_a_sentence() -> None:
    assert describe_saving(stopped(10, 40, "eos_token")) == "You stopped after 10 tokens and saved 75% of the answer."
    assert "up to 90%" in describe_saving(stopped(10, 10, "cancelled"))
