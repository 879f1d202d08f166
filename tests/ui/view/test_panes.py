"""What a pane shows."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.errors import EngineFailed
from demo.events import Done, Event, Failed, FinishReason, PromptProgress, Queued, Started, Token
from demo.metrics import Timeline
from demo.request import Request
from demo.ui.view.panes import PaneView, Reading, complete_views, view_reading, write_parts
from demo.ui.view.words import (
    SIDES,
    Side,
    describe_cached,
    describe_reasoning,
    format_count,
    format_rate,
    format_seconds,
)

REQUEST = Request("Hello", max_new_tokens=101)


def write_log(texts: list[str], reason: FinishReason | None = "eos_token") -> tuple[Event, ...]:
    """A run submitted at 10 s: started after 0.5 s, then a token every 0.1 s, its end 0.1 s after the last."""
    tokens = [Token(10.6 + 0.1 * n, n + 1, n, text, -0.5, special=False) for n, text in enumerate(texts)]
    end = [] if reason is None else [Done(10.6 + 0.1 * len(texts), reason, len(texts))]
    return (Started(10.5, 3, 0), *tokens, *end)


def read(side: Side, events: tuple[Event, ...], detached: float | None = None) -> Reading:
    return Reading(side, REQUEST, 10.0, events, detached)


def view(side: Side, events: tuple[Event, ...], detached: float | None = None) -> PaneView:
    return view_reading(read(side, events, detached))


@given(st.lists(st.text()))
def test_at_the_end_both_sides_show_the_same_text(texts: list[str]) -> None:
    events = write_log(texts)
    assert view("streamed", events).text == view("whole", events).text == "".join(texts)


@given(st.lists(st.text()))
def test_before_the_end_the_whole_side_shows_nothing_and_the_streamed_side_everything(texts: list[str]) -> None:
    events = write_log(texts, reason=None)
    whole = view("whole", events)
    assert (whole.text, whole.timeline.ttft, whole.tokens) == ("", None, None)
    assert view("streamed", events).text == "".join(texts)


def test_phases_follow_the_log() -> None:
    events = write_log(["a", "b"])
    progress = (events[0], PromptProgress(10.55, 128, 300))
    moments = [events[:0], events[:1], progress, events[:2], events]
    assert [view("streamed", moment).phase for moment in moments] == ["queued", "reading", "reading", "writing", "done"]
    assert [view("whole", moment).phase for moment in moments] == ["queued", "reading", "reading", "waiting", "done"]


@pytest.mark.parametrize("side", SIDES)
def test_a_view_has_the_label_and_the_number_of_its_race(side: Side) -> None:
    shown = view_reading(Reading(side, REQUEST, 10.0, write_log(["a"]), label="slowed", number=7))
    assert (shown.label, shown.number) == ("slowed", 7)


@pytest.mark.parametrize("side", SIDES)
def test_a_cancelled_run_is_stopped_and_a_complete_one_has_no_note(side: Side) -> None:
    assert view(side, write_log(["a"], "cancelled")).phase == "stopped"
    complete = view(side, write_log(["a"]))
    assert (complete.phase, complete.note, complete.cut) == ("done", "", False)


def test_a_stopped_whole_side_keeps_the_start_of_the_run() -> None:
    assert view("whole", write_log(["a"], None), 11.5).timeline == Timeline(started=0.5, end=1.5)


def test_only_a_stopped_sides_note_becomes_exact() -> None:
    events = write_log(["a", "b"])
    streamed, whole = complete_views(read("streamed", events), read("whole", events))
    assert streamed.note == whole.note == ""
    stopped, _ = complete_views(read("streamed", events[:2], 10.7), read("whole", events))
    assert stopped.note == "stopped at token 1 of 2, 100 ms of waiting saved"


@pytest.mark.parametrize("side", SIDES)
def test_cached_tokens_of_the_prompt_are_shown_from_the_start_where_there_are_any(side: Side) -> None:
    events = write_log(["a", "b"])
    cached = (Started(10.5, 1840, 0, cached_tokens=1812), *events[1:])
    shown = [describe_cached(view(side, cached[:count]).cached) for count in range(4)]
    assert shown == ["", *["1,812 of 1,840 prompt tokens remembered"] * 3]
    assert describe_cached(view(side, events).cached) == ""


def test_a_stopped_streamed_side_shows_what_was_saved_at_most() -> None:
    stopped = view("streamed", write_log(["a"] * 37, reason=None), detached=14.3)
    assert stopped.phase == "stopped"
    assert stopped.note == "stopped at token 37 of up to 101, up to 6.40 s of waiting saved"


def test_before_the_second_token_nothing_is_estimated() -> None:
    assert view("streamed", write_log(["a"], reason=None), detached=10.7).note == "stopped at token 1 of up to 101"


@pytest.mark.parametrize("reason", [None, "length"])
def test_a_stopped_whole_side_had_shown_nothing(reason: FinishReason | None) -> None:
    stopped = view("whole", write_log(["a"] * 9, reason), detached=11.24)
    assert (stopped.text, stopped.phase, stopped.tokens) == ("", "stopped", None)
    assert stopped.note == "stopped after 1.24 s: nothing had been shown"


@pytest.mark.parametrize("side", SIDES)
def test_a_failure_is_one_sentence_in_both_panes(side: Side) -> None:
    failed = view(side, (*write_log(["a"], reason=None), Failed(11.0, EngineFailed("The model gave up: try again."))))
    assert (failed.phase, failed.note) == ("failed", "The model gave up: try again.")
    assert failed.text == ("a" if side == "streamed" else "")
    assert (failed.timeline.ttft is None) == (side == "whole")


def test_a_cut_at_the_requested_length_is_shown_unless_the_side_was_stopped_before() -> None:
    events = write_log(["a", "b"], reason="length")
    cut, stopped = view("streamed", events), view("streamed", events, detached=10.65)
    assert "cut off at 2 tokens" in cut.note
    assert (cut.cut, stopped.cut) == (True, False)


def test_an_end_because_of_a_loop_is_said_in_words_and_cannot_be_continued() -> None:
    ended = view("streamed", write_log(["a"] * 48, reason="repetition"))
    assert (ended.phase, ended.note, ended.cut) == ("done", "the model repeats itself: ended after 48 tokens", False)


def test_the_schedule_has_milliseconds_since_the_request_and_utf_16_lengths() -> None:
    assert view("streamed", write_log(["a", "🧀", ""])).schedule == "600 1;700 2;800 0;"
    assert view("whole", write_log(["a"])).schedule == ""


def test_the_place_in_the_queue_is_shown_until_the_prompt_is_read() -> None:
    waiting = (Queued(10.1, 3, 2.4), Queued(11.1, 2, 1.4))
    assert view("streamed", waiting).phase == view("whole", waiting).phase == "queued"
    assert view("whole", waiting).queue == (2, 1.4)
    assert view("whole", (*waiting, Started(12.0, 30, 0))).queue is None


def test_the_newest_progress_of_the_prompt_is_shown() -> None:
    progress = [PromptProgress(10.5 + read / 1e4, read, 300) for read in (0, 128, 256)]
    assert view("whole", (Started(10.5, 300, 0), *progress)).progress == (256, 300)


def test_numbers_that_do_not_exist_are_dashes_never_zero() -> None:
    assert {format_seconds(None), format_count(None), format_rate(None)} == {"–"}
    assert PaneView("streamed", timeline=Timeline()).tokens is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0721, "72 ms"),
        (0.99949, "999 ms"),
        (0.9995, "1.00 s"),
        (1.236, "1.24 s"),
        (9.99, "9.99 s"),
        (9.995, "10.0 s"),
        (12.44, "12.4 s"),
    ],
)
def test_durations_read_naturally(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text


@pytest.mark.parametrize("side", SIDES)
def test_reasoning_is_told_apart_on_both_sides_and_both_times_are_shown(side: Side) -> None:
    events = write_log(["<th", "ink>", "Hm", "</think>", "\n\nYes", "."])
    reasoned = (Started(10.5, 3, 0, reasoning="tags"), *events[1:])
    shown = view(side, reasoned)
    assert (shown.join("reasoning"), shown.join("answer")) == ("Hm", "Yes.")
    assert write_parts(shown.parts) == "m0;m7;r2;m8;m2;a3;a1;"
    assert shown.timeline.answered == pytest.approx(1.0 if side == "streamed" else 1.2)
    assert view(side, events).parts == ()
    told = describe_reasoning(0.6, 1.0)
    assert told == "first token after 600 ms, first answer token after 1.00 s"
    assert describe_reasoning(0.6, None) == ""


def test_the_parts_of_a_growing_text_only_grow() -> None:
    events = write_log(list("<think>Hm</think> Yes"))
    reasoned = (Started(10.5, 3, 0, reasoning="tags"), *events[1:])
    grown = [write_parts(view("streamed", reasoned[:count]).parts) for count in range(1, len(reasoned) + 1)]
    assert all(later.startswith(earlier) for earlier, later in pairwise(grown))
