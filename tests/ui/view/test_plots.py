"""The figures."""

import pytest
from plotly.graph_objects import Figure

from demo.ui.view import plots
from demo.ui.view.panes import PaneView
from demo.ui.view.tables import list_rows, list_runs
from demo.ui.view.turn import Question, Turn
from tests.ui.view.test_panes import view, write_log

BLUE, ORANGE = "#0072b2", "#d55e00"


def race(tokens: int) -> tuple[PaneView, PaneView]:
    events = write_log(["a"] * tokens)
    return view("streamed", events), view("whole", events)


def turn(tokens: int, number: int = 1) -> Turn:
    return Turn(Question("Hello"), *race(tokens), number=number)


def test_the_timeline_is_a_ramp_and_a_step_of_the_same_height() -> None:
    whole, streamed = plots.draw_timeline(*race(10))["data"]
    assert (streamed["name"], whole["name"]) == ("Streaming, made by the engine", "Non-streaming")
    assert max(streamed["y"]) == max(whole["y"]) == 10
    assert len(set(whole["x"])) == 2  # nothing, then everything at one moment
    assert len(set(streamed["x"])) == 12


def test_the_timeline_marks_both_first_texts_with_labels_where_there_is_room_one_above_the_other() -> None:
    layout = plots.draw_timeline(*race(10))["layout"]
    marks = [(round(line["x0"], 2), round(line["x1"], 2), line["line"]["color"]) for line in layout["shapes"]]
    assert marks == [(0.6, 0.6, BLUE), (1.6, 1.6, ORANGE)]
    streamed, whole = layout["annotations"]
    assert (streamed["text"], whole["text"]) == ("Streaming: first text 600 ms", "Non-streaming: first text 1.60 s")
    assert (streamed["x"], whole["x"]) == (pytest.approx(0.6), pytest.approx(1.6))
    assert (streamed["xanchor"], whole["xanchor"]) == ("left", "right")
    assert streamed["yshift"] > whole["yshift"] == 0
    late = plots.draw_timeline(*race(5))["layout"]["annotations"]  # after 0.6 of 1.1 s: no room to its right
    assert [note["xanchor"] for note in late] == ["right", "right"]


@pytest.mark.parametrize("runs", [[], [1], [1, 2]])
def test_the_figures_are_plotlys(runs: list[int]) -> None:
    """Plotly refuses a property or a value that it does not know."""
    for figure in plots.draw_latency([turn(5, run) for run in runs]), plots.draw_timeline(*race(5)):
        drawn = Figure(figure)
        assert len(drawn.data) == len(figure["data"])
        assert all(trace.type == "scatter" for trace in drawn.data)


def test_a_stopped_side_stays_at_the_level_it_had_reached() -> None:
    stopped = view("streamed", write_log(["a"] * 5, reason=None), detached=11.1)
    assert plots.step_points(stopped.timeline, until=3.0)[1] == [0, 1, 2, 3, 4, 5, 5]


def test_every_run_is_a_point_of_ttft_above_its_total_and_the_whole_side_lies_on_the_diagonal() -> None:
    figure = plots.draw_latency([turn(5), turn(20)])
    diagonal, streamed, whole = figure["data"]
    assert streamed["x"] == whole["x"] == whole["y"] == [pytest.approx(1.1), pytest.approx(2.6)]
    assert streamed["y"] == [pytest.approx(0.6)] * 2
    assert diagonal["x"] == diagonal["y"]
    (note,) = figure["layout"]["annotations"]
    assert (note["text"], note["xref"], note["x"], note["showarrow"]) == (plots.DIAGONAL, "paper", 0, False)


def test_the_axes_of_latency_have_the_same_length_which_is_little_more_than_the_longest_run() -> None:
    figure = plots.draw_latency([turn(20, 1), turn(5, 2)])
    (left, right), (bottom, top) = (figure["layout"][axis]["range"] for axis in ("xaxis", "yaxis"))
    assert left == 0
    assert 2.6 < right == top < 3
    assert -0.2 < bottom < 0  # a point on the axis is drawn whole
    diagonal = figure["data"][0]
    assert diagonal["x"] == diagonal["y"] == [0, right]
    assert (diagonal["mode"], diagonal["hoverinfo"], diagonal["showlegend"]) == ("lines", "skip", False)
    assert plots.draw_latency([])["layout"]["xaxis"]["range"][1] > 0


def test_the_axes_are_named_for_what_they_measure() -> None:
    latency, timeline = plots.draw_latency([turn(5)])["layout"], plots.draw_timeline(*race(5))["layout"]
    assert latency["xaxis"]["title"]["text"] == "total latency, seconds"
    assert latency["yaxis"]["title"]["text"] == "time to first token, seconds"
    assert timeline["xaxis"]["title"]["text"] == "seconds since the request"
    assert timeline["yaxis"]["title"]["text"] == "tokens visible"


def test_streaming_is_blue_and_waiting_orange_in_both_figures_and_they_differ_in_more_than_colour() -> None:
    lines, points = plots.draw_timeline(*race(3))["data"], plots.draw_latency([turn(3)])["data"][1:]
    assert [(line["name"], line["line"]["color"], line["fillcolor"][:7]) for line in lines] == [
        ("Non-streaming", ORANGE, ORANGE),
        ("Streaming, made by the engine", BLUE, BLUE),
    ]
    named = [(point["name"], point["marker"]["color"], point["hovertemplate"][-21:]) for point in points]
    assert named == [("Streaming", BLUE, "tra>Streaming</extra>"), ("Non-streaming", ORANGE, "Non-streaming</extra>")]
    assert len({line["line"]["dash"] for line in lines}) == len({point["marker"]["symbol"] for point in points}) == 2


def test_a_stopped_run_draws_no_point_but_stands_in_the_table() -> None:
    events = write_log(["a"] * 5, reason=None)
    views = view("streamed", events, detached=11.1), view("whole", events, detached=11.1)
    stopped = Turn(Question("Hello"), *views)
    assert not any(trace["x"] for trace in plots.draw_latency([stopped])["data"][1:])
    assert [row[-1] for row in list_rows([stopped])] == ["stopped", "stopped"]


def test_the_figures_are_described_in_words_too() -> None:
    assert "Streaming: first text 600 ms, all after 1.60 s" in plots.describe_timeline(turn(10))
    assert "of 2 runs" in plots.describe_latency([turn(10, 1), turn(10, 2)])


def test_table_and_chart_say_that_older_runs_were_dropped() -> None:
    every, last = [turn(5, 1), turn(5, 2)], [turn(5, 4), turn(5, 5)]
    assert list_runs(every)["caption"] == "Every run of this tab, newest first"
    assert list_runs(last)["caption"] == "The last 2 runs of this tab, newest first; 3 older ones were dropped"
    assert "of the last 2 runs" in plots.describe_latency(last)
    assert plots.draw_latency(last)["layout"]["xaxis"]["title"]["text"] == "total latency, seconds (the last 2 runs)"
