"""What the page shows of a recorded run at one speed: each update with its time, and what every stop leads to.

All of it is computed by the views and updates that the server's page uses. The page's script only chooses and joins.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, TypeAlias

from demo.engines.replay import schedule_trace
from demo.events import Done, Event, Token
from demo.trace import Trace, write_trace
from demo.ui.components.lesson import PRICE
from demo.ui.components.pane import write_run
from demo.ui.race import UPDATE_SECONDS
from demo.ui.view.options import DEFAULT_PACE, GenerationOptions
from demo.ui.view.panes import Reading, complete_views, measure_utf16, view_reading
from demo.ui.view.plots import describe_timeline, draw_latency, draw_timeline
from demo.ui.view.tables import Table, list_definitions, list_example, list_rows, list_saved
from demo.ui.view.turn import Question, Turn
from demo.ui.view.words import SIDES, Side, describe_recording

Json: TypeAlias = dict[str, Any]
Change: TypeAlias = Json  # of a pane's value: text and schedule as the length of their beginning, in UTF-16 code units

MAX_STOPS: Final = 100  # moments at which a side can be stopped: the next update after the click
GROWING: Final = ("text", "schedule")
FIRST: Final = 1  # the number of a run for which others are told by the page
NUMBER: Final = "{number}"  # where the page writes it


@dataclass(frozen=True)
class Play:
    """A recorded run at a speed: `pace` tokens/s, or as it was; of the documentation's example, with its `example`."""

    trace: Trace
    pace: float | None
    example: GenerationOptions | None = None

    @cached_property
    def played(self) -> Trace:
        """The run at this speed."""
        length = self.trace.request.max_new_tokens if self.example is None else self.example.max_new_tokens
        request = replace(self.trace.request, pace=self.pace, max_new_tokens=length)
        groups = schedule_trace(self.trace, request, 0.0)
        return replace(self.trace, request=request, events=tuple(event for group in groups for event in group))

    @property
    def label(self) -> str:
        """What marks the run as recorded, with the machine and what its weights are."""
        trace = self.played
        return describe_recording(replace(trace, machine=f"{trace.place}, {trace.dtype}"))

    def write(self) -> Json:
        """What the page needs to play it to its end."""
        done = self._show(None, None)
        return {
            "end": self._end,
            "trace": self._write_trace(),
            "texts": {name: self._run(self._read("streamed", self.played.events))[name] for name in GROWING},
            "updates": list(self._write_updates()),
            "timeline": done["timeline"],
            "latency": done["latency"],
            "results": self._describe(done),
        }

    def write_stops(self) -> list[Json]:
        """What each stop leads to, as what differs from the one before: most readers need none of it."""
        stops = [self._write_stop(time) for time in self._list_stops()]
        return [find_changes(before, stop) for before, stop in zip([{}, *stops], stops, strict=False)]

    @property
    def _end(self) -> float:
        return self.played.events[-1].time

    def _write_trace(self) -> Json:
        """What the run's trace has that the recording has not: `times` are those of its tokens."""
        played, recorded = write_trace(self.played), write_trace(self.trace)
        times = [time for time, *_ in played.pop("tokens")]
        return {**find_changes(recorded, played), "times": times}

    # --- the updates of a race that nobody stops ---

    def _write_updates(self) -> Iterator[tuple[float, Side, Change]]:
        """(seconds, side, what changed), in order; the first of each side is all of its value."""
        shown: dict[Side, Json] = {"streamed": {}, "whole": {}}
        for time, count in self._batch():
            events = self.played.events[:count]
            for side in shown:
                value = self._write_value(self._read(side, events))
                change = {name: each for name, each in value.items() if shown[side].get(name) != each}
                shown[side] = value
                if change:
                    yield round(time, 4), side, change

    def _batch(self) -> Iterator[tuple[float, int]]:
        """When the server would send, and how many events there are by then: the first text and the end at once."""
        events = self.played.events
        due, sent = 0.0, 0
        yield 0.0, 0
        for count, event in enumerate(events, start=1):
            after = events[count].time if count < len(events) else None
            if after is None or after > due:
                time = max(event.time, min(due, after or event.time))
                yield time, count
                has_token = any(isinstance(each, Token) for each in events[sent:count])
                due, sent = time + UPDATE_SECONDS if has_token else due, count

    # --- stops ---

    def _list_stops(self) -> list[float]:
        step = max(UPDATE_SECONDS, self._end / MAX_STOPS)
        return [step * number for number in range(1, int(self._end / step) + 1) if step * number < self._end]

    def _write_stop(self, time: float) -> Json:
        """What a side shows that is stopped at `time`; the results where it alone, the other alone or both are."""
        events = self.list_until(time)
        return {
            "at": round(time, 4),
            "count": sum(isinstance(event, Token) for event in events),
            "streamed": self._write_value(self._read("streamed", events, time)),
            "whole": self._write_value(self._read("whole", events, time)),
            "results": {
                "streamed": self._describe(self._show(time, None)),
                "whole": self._describe(self._show(None, time)),
                "both": self._describe(self._show(time, time)),
            },
        }

    def list_until(self, time: float) -> tuple[Event, ...]:
        return tuple(event for event in self.played.events if event.time <= time)

    def _show(self, streamed_stop: float | None, whole_stop: float | None) -> Json:
        """The results of the race, where its sides were stopped at these times or read to the end."""
        turn = self.make_turn(streamed_stop, whole_stop)
        return {
            "timeline": draw_timeline(turn.streamed, turn.whole),
            "latency": draw_latency((turn,)),
            "summary": describe_timeline(turn),
            "rows": dict(zip(SIDES, map(_mark_number, list_rows((turn,))), strict=True)),
            "saved": list_saved((turn,), PRICE),
            "definitions": _mark_caption(list_definitions((turn,))),
            "example": None if self.example is None else list_example(self.example, (turn,), turn),
            "notes": {view.side: view.note for view in (turn.streamed, turn.whole)},
        }

    def make_turn(self, streamed_stop: float | None, whole_stop: float | None) -> Turn:
        readings = [
            self._read(side, self.played.events if stop is None else self.list_until(stop), stop)
            for side, stop in zip(SIDES, (streamed_stop, whole_stop), strict=True)
        ]
        trace = self.played
        if streamed_stop is not None and whole_stop is not None:
            events = self.list_until(whole_stop)
            count = sum(isinstance(event, Token) for event in events)
            trace = replace(trace, events=(*events, Done(whole_stop, "cancelled", count)))
        if self.example is None:
            question = Question(self.trace.question, "recording", self.trace)
        else:
            question = Question(self.trace.question, "example", options=self.example)
        has_started = len(trace.events) > 1
        return Turn(question, *complete_views(*readings), trace if has_started else None, FIRST)

    @staticmethod
    def _describe(shown: Json) -> Json:
        """The results without the figures' traces: those of a stopped side are a beginning of the whole run's."""
        timeline, latency = shown["timeline"]["layout"], shown["latency"]["layout"]
        return {
            **{name: value for name, value in shown.items() if name not in ("timeline", "latency")},
            "marks": {name: timeline[name] for name in ("shapes", "annotations")},
            "ranges": {name: latency[name]["range"] for name in ("xaxis", "yaxis")},
        }

    # --- values ---

    def _read(self, side: Side, events: Sequence[Event], detached: float | None = None) -> Reading:
        # A side that waits shows its phase until the end.
        return Reading(side, self.played.request, 0.0, tuple(events), detached, self.label)

    def _write_value(self, reading: Reading) -> Json:
        value = self._run(reading)
        return {**value, **{name: measure_utf16(value[name]) for name in GROWING}}

    @staticmethod
    def _run(reading: Reading) -> Json:
        """The value without what only a server can do or a race has: to continue an answer, and a number."""
        value: Json = {**write_run(view_reading(reading)), "cut": False}
        del value["number"]
        return value


def write_stories(traces: Sequence[Trace]) -> Json:
    """The stories of the station about perceived latency at the pace that it asks for; tokens are [seconds, text]."""
    plays = [Play(trace, DEFAULT_PACE) for trace in traces]
    stories = [
        {"prompt": play.trace.question, "tokens": [[round(each.time, 4), each.text] for each in play.played.tokens]}
        for play in plays
    ]
    return {"pace": DEFAULT_PACE, "stories": stories}


def _mark_number(row: Sequence[str]) -> list[str]:
    return [NUMBER + row[0].removeprefix(str(FIRST)), *row[1:]]


def _mark_caption(table: Table) -> Table:
    return {**table, "caption": str(table["caption"]).replace(f"run {FIRST}", f"run {NUMBER}")}


def find_changes(before: Json, after: Json) -> Json:
    """The entries of `after` that differ; of an entry that is itself a dictionary, only its own such entries."""
    return {
        name: find_changes(before[name], value) if isinstance(value, dict) and name in before else value
        for name, value in after.items()
        if name not in before or before[name] != value
    }
