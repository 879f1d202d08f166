"""A recorded run as files: what the page shows of it is what the server's page would show."""

from dataclasses import replace
from functools import reduce
from typing import Any

import pytest

from demo.events import Event
from demo.static.play import Json, Play, find_changes
from demo.static.recordings import group_by_machine, read_all
from demo.trace import Trace
from demo.ui.components.pane import write_run
from demo.ui.view.panes import Reading, view_reading
from demo.ui.view.plots import step_points
from demo.ui.view.tables import list_definitions
from demo.ui.view.words import SIDES, Side
from tests.traces import make_trace

WORDS = [f"word{index} 🧀 " for index in range(60)]
TRACE = make_trace(WORDS, gap=0.021)
PACES = (None, 30.0)
NAMED = replace(TRACE, machine="A machine (2 cores)")


def merge(before: Json, change: Json) -> Json:
    """As assets/static/race.js does it."""
    merged = {
        name: merge(before[name], value) if isinstance(value, dict) and isinstance(before.get(name), dict) else value
        for name, value in change.items()
    }
    return {**before, **merged}


def cut(text: str, units: int) -> str:
    """As a browser cuts a text, which counts in UTF-16."""
    return text.encode("utf-16-le")[: 2 * units].decode("utf-16-le")


def grow(play: Json, value: Json) -> Json:
    """The value of a pane, without what only a race has."""
    return {**value, **{name: cut(play["texts"][name], value[name]) for name in ("text", "schedule")}}


def show(play: Play, side: Side, events: tuple[Event, ...], detached: float | None = None) -> Json:
    """What the server's page shows of these events."""
    reading = Reading(side, play.played.request, 0.0, events, detached, play.label)
    value: dict[str, Any] = {**write_run(view_reading(reading)), "cut": False}
    del value["number"]
    return value


@pytest.mark.parametrize("pace", PACES)
def test_the_updates_lead_to_what_the_servers_page_shows_at_the_end(pace: float | None) -> None:
    play = Play(TRACE, pace)
    written = play.write()
    for side in SIDES:
        last: Json = reduce(merge, [change for _, each, change in written["updates"] if each == side], {})
        assert grow(written, last) == show(play, side, play.played.events)


@pytest.mark.parametrize("pace", PACES)
def test_every_update_is_what_had_happened_by_then(pace: float | None) -> None:
    play = Play(TRACE, pace)
    written = play.write()
    times = [time for time, _, _ in written["updates"]]
    assert times == sorted(times)
    value: Json = {}
    for time, side, change in written["updates"]:
        if side == "streamed":
            value = merge(value, change)
            by_then = [tuple(e for e in play.played.events if e.time <= time + slack) for slack in (-1e-4, 0, 1e-4)]
            assert grow(written, value) in [show(play, side, events) for events in (*by_then, ())[: 3 if time else 4]]


@pytest.mark.parametrize("pace", PACES)
def test_every_stop_is_what_the_servers_page_shows_of_it(pace: float | None) -> None:
    play = Play(TRACE, pace)
    written = play.write()
    stop: Json = {}
    for change in play.write_stops():
        stop = merge(stop, change)
        events = tuple(event for event in play.played.events if event.time <= stop["at"] + 1e-4)
        for side in SIDES:
            assert grow(written, stop[side]) == show(play, side, events, stop["at"])
        alone = play.make_turn(stop["at"], None)
        assert stop["results"]["streamed"]["notes"]["streamed"] == alone.streamed.note
        assert "of waiting saved" in alone.streamed.note
        both = play.make_turn(stop["at"], stop["at"])
        assert stop["results"]["both"]["definitions"]["rows"] == list_definitions((both,))["rows"]


def test_the_chart_of_a_stopped_side_is_a_beginning_of_the_whole_runs() -> None:
    play = Play(TRACE, None)
    whole, streamed = play.write()["timeline"]["data"]
    turn = play.make_turn(0.5, 0.5)
    count = len(turn.streamed.timeline.tokens)
    times, counts = step_points(turn.streamed.timeline, 0.5)
    assert times == [*streamed["x"][: count + 1], 0.5]
    assert counts == [*streamed["y"][: count + 1], count]
    assert step_points(turn.whole.timeline, 0.5) == ([*whole["x"][:1], 0.5], [0, 0])


def test_a_run_is_marked_with_its_machine_and_only_a_slowed_one_as_slowed() -> None:
    assert Play(TRACE, None).label == "recorded 2026-11-23 on cpu, float32"
    assert Play(TRACE, 30).label.endswith("on cpu, float32, slowed to 30 tokens/s")
    assert Play(NAMED, None).label == "recorded 2026-11-23 on A machine (2 cores), float32"


def test_the_runs_of_one_model_on_two_machines_are_offered_apart() -> None:
    machines = group_by_machine((TRACE, NAMED))
    assert [each.name for each in machines] == ["a-model, float32, on cpu", "a-model, float32, on A machine (2 cores)"]
    assert "of a-model on A machine (2 cores), float32" in machines[1].describe()["line"]
    assert all(trace.machine for trace in read_all().races)


def test_a_run_at_another_speed_or_length_keeps_its_tokens() -> None:
    trace = Play(TRACE, 30).write()["trace"]
    assert len(trace["times"]) == len(WORDS)
    assert (trace["pace"], trace["end"]) == (30, trace["times"][-1])


def test_changes_are_told_as_deep_as_they_are() -> None:
    before, after = {"a": {"b": 1, "c": [1]}, "d": 2}, {"a": {"b": 1, "c": [2]}, "d": 2, "e": 3}
    assert find_changes(before, after) == {"a": {"c": [2]}, "e": 3}
    assert merge(before, find_changes(before, after)) == after


def test_a_run_that_is_stopped_before_it_began_has_no_trace() -> None:
    slow: Trace = replace(TRACE, events=tuple(replace(each, time=each.time + 5) for each in TRACE.events))
    assert Play(slow, None).make_turn(1.0, 1.0).trace is None
