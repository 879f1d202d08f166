"""What the figures and the table hold."""

from dataclasses import replace

from demo.ui.view.panes import PaneView
from demo.ui.view.plots import (
    DIAGONAL,
    describe_latency,
    describe_timeline,
    draw_latency,
    draw_timeline,
    list_rows,
    step_points,
)
from demo.ui.view.turn import Question, Turn
from tests.ui.view.test_panes import view, write_log

HELLO = Question("Hello", "turn")


def race(tokens: int) -> tuple[PaneView, PaneView]:
    events = write_log(["a"] * tokens)
    return view("streamed", events), view("whole", events)


def test_the_timeline_is_a_ramp_and_a_cliff_of_the_same_height() -> None:
    whole, streamed = draw_timeline(*race(10)).data
    assert (streamed.name, whole.name) == ("Streaming, made by the engine", "Non-streaming")
    assert max(streamed.y) == max(whole.y) == 10
    assert len(set(whole.x)) == 2  # nothing, then everything at one moment
    assert len(set(streamed.x)) == 12


def test_the_timeline_marks_both_first_texts() -> None:
    figure = draw_timeline(*race(10))
    assert [round(line.x0, 2) for line in figure.layout.shapes] == [0.6, 1.6]
    assert [note.text for note in figure.layout.annotations] == [
        "Streaming: first text 600 ms",
        "Non-streaming: first text 1.60 s",
    ]


def test_a_stopped_side_stays_at_the_level_it_had_reached() -> None:
    stopped = view("streamed", write_log(["a"] * 5, reason=None), left=11.1)
    _, counts = step_points(stopped.timeline, until=3.0)
    assert counts == [0, 1, 2, 3, 4, 5, 5]


def test_every_run_is_a_point_and_the_whole_side_lies_on_the_diagonal() -> None:
    turns = [Turn(HELLO, *race(5)), Turn(HELLO, *race(20))]
    figure = draw_latency(turns)
    diagonal, streamed, whole = figure.data
    assert list(diagonal.x) == list(diagonal.y)
    assert list(whole.x) == list(whole.y)
    assert all(ttft < total for total, ttft in zip(streamed.x, streamed.y, strict=True))
    assert len(streamed.x) == len(whole.x) == 2
    assert DIAGONAL in [note.text for note in figure.layout.annotations]


def test_the_sides_differ_in_more_than_colour() -> None:
    lines = draw_timeline(*race(3)).data
    points = draw_latency([Turn(HELLO, *race(3))]).data[1:]
    assert len({trace.line.dash for trace in lines}) == len({trace.marker.symbol for trace in points}) == 2


def test_a_stopped_run_draws_no_point_but_stands_in_the_table() -> None:
    events = write_log(["a"] * 5, reason=None)
    turn = Turn(HELLO, view("streamed", events, left=11.1), view("whole", events, left=11.1))
    assert not any(len(trace.x) for trace in draw_latency([turn]).data[1:])
    assert [row[-1] for row in list_rows([turn])] == ["stopped", "stopped"]


def test_the_table_has_the_newest_run_first_and_a_row_for_each_side() -> None:
    rows = list_rows([Turn(HELLO, *race(5)), Turn(HELLO, *race(20))])
    assert [row[:2] for row in rows] == [
        ("2", "Streaming"),
        ("2", "Non-streaming"),
        ("1", "Streaming"),
        ("1", "Non-streaming"),
    ]
    assert rows[0] == ("2", "Streaming", "600 ms", "2.60 s", "20", "10.0", "done")


def test_a_run_that_is_slowed_or_recorded_is_marked_in_the_table() -> None:
    streamed, whole = race(3)
    turn = Turn(HELLO, replace(streamed, label="slowed to 30 tokens/s"), whole)
    assert list_rows([turn])[0][0] == "1 · slowed to 30 tokens/s"


def test_a_run_whose_prompt_was_remembered_says_so_in_the_table() -> None:
    views = [replace(view, label="recorded", remembered=(8, 10)) for view in race(3)]
    rows = list_rows([Turn(HELLO, views[0], views[1])])
    assert [row[0] for row in rows] == ["1 · recorded · 8 of 10 prompt tokens remembered"] * 2


def test_the_figures_are_told_in_words_too() -> None:
    turn = Turn(HELLO, *race(10))
    assert "Streaming: first text 600 ms, all after 1.60 s" in describe_timeline(turn)
    assert "2 runs" in describe_latency([turn, turn])
