"""An engine without a model."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from demo.engine import Ready
from demo.engines.replay import (
    Replay,
    choose_recording,
    find_rate,
    find_trace,
    open_replay,
    read_recordings,
    schedule_trace,
)
from demo.errors import BadRequest, NotReady, Overloaded, SettingError
from demo.events import Done, Event, Failed, Started
from demo.examples import read_examples
from demo.request import Message, Request, Sampling
from demo.run import Run
from demo.settings import Settings
from demo.trace import Trace
from tests.traces import make_trace


def ask(question: str = "What is cheese?", max_new_tokens: int | None = 256) -> Request:
    return Request((Message("user", question),), max_new_tokens)


def play(trace: Trace, request: Request) -> tuple[Run, list[Event]]:
    run = Run(Replay([trace]), request)
    return run, [event for batch in run.attach() for event in batch]


def test_a_recorded_run_is_played_with_the_times_it_had() -> None:
    trace = make_trace(gap=0.03)
    run, events = play(trace, ask())
    assert [type(event) for event in events] == [type(event) for event in trace.events]
    since = events[0].time - trace.events[0].time
    assert run.submitted <= since <= run.admitted
    for played, recorded in zip(events, trace.events, strict=True):
        assert played.time - since == pytest.approx(recorded.time)


def test_fewer_tokens_than_recorded_end_as_a_length() -> None:
    _, events = play(make_trace(), ask(max_new_tokens=2))
    assert len(events) == 4
    assert isinstance(events[-1], Done)
    assert (events[-1].finish_reason, events[-1].generated_tokens) == ("length", 2)


def schedule(trace: Trace, request: Request) -> list[Event]:
    return [event for group in schedule_trace(trace, request, 100.0) for event in group]


def test_a_recorded_run_is_slowed_down_to_the_pace_asked_for_and_its_first_token_is_not() -> None:
    events = schedule(make_trace(gap=0.02), replace(ask(), pace=10))
    assert [event.time for event in events] == pytest.approx([100.001, 100.02, 100.12, 100.22, 100.32, 100.32])


def test_a_recorded_run_slower_than_the_pace_asked_for_keeps_its_own_times() -> None:
    assert schedule(make_trace(gap=0.02), replace(ask(), pace=1000)) == schedule(make_trace(gap=0.02), ask())


def test_what_was_not_recorded_is_refused_with_what_was() -> None:
    replay = Replay([make_trace()])
    for request in (ask("Why?"), Request("What is cheese?"), Request(ask().prompt, 256, Sampling(do_sample=True))):
        with pytest.raises(BadRequest, match="What is cheese"):
            replay.submit(request, lambda *events: None)


@pytest.mark.parametrize("pace", [None, 10])
@pytest.mark.parametrize("asked", [{}, {"client": "session:abc"}, {"cache_prompt": False}, {"pace": 5}, {"pace": 10}])
def test_a_recording_is_played_at_any_pace_to_every_client_with_its_own_cached_tokens(
    pace: float | None, asked: dict[str, Any]
) -> None:
    trace, request = make_trace(cached_tokens=8, pace=pace), replace(ask(), **asked)
    assert find_trace([trace], request) is trace
    assert next(schedule_trace(trace, request, start=0.0)) == [Started(0.001, 10, 0, cached_tokens=8)]


def test_it_is_ready_and_its_source_is_recorded() -> None:
    status = Replay([make_trace()]).status
    assert isinstance(status, Ready)
    assert (status.card.source, status.card.model_id) == ("recorded", "a-model")


def test_its_rate_is_that_of_the_runs_recorded_at_their_own_speed() -> None:
    traces = [make_trace(gap=gap) for gap in (0.02, 0.01, 0.005)]
    assert find_rate([*traces, make_trace(gap=1, pace=1)]) == pytest.approx(100)
    assert find_rate([make_trace(["one"]), make_trace(gap=1, pace=1)]) is None


def test_plain_text_is_a_users_message_unless_the_operator_sets_raw() -> None:
    for settings, expected in ((Settings(), "chat"), (Settings(plain_prompts="raw"), "raw")):
        status = open_replay([make_trace()], settings).status
        assert isinstance(status, Ready)
        assert status.card.plain_prompts == expected


def test_no_more_are_played_than_its_limit_and_closing_ends_them() -> None:
    replay = Replay([make_trace(gap=600)], limit=1)
    run = Run(replay, ask())
    assert replay.load.running == 1
    with pytest.raises(Overloaded):
        replay.admit()
    replay.close()
    assert isinstance(run.end, Failed)
    assert "shutting down" in str(run.end.error)
    assert replay.load.running == 0
    with pytest.raises(NotReady):
        replay.admit()


def test_it_has_no_tokenizer() -> None:
    with pytest.raises(NotReady):
        Replay([make_trace()]).tokenize("Hello")


def test_the_recording_of_a_question_stands_in_for_it_else_the_first() -> None:
    traces = [make_trace(question="One?"), make_trace(question="Two?")]
    assert choose_recording(traces, " Two? ") == traces[1]
    assert choose_recording(traces, "Three?") == traces[0]
    assert choose_recording([], "One?") is None


def test_the_recordings_that_ship_are_real_runs_of_the_pages_examples() -> None:
    traces = read_recordings()
    assert [trace.question for trace in traces] == read_examples()
    for trace in traces:
        assert len(trace.tokens) > 10
        assert trace.model_id == "HuggingFaceTB/SmolLM2-135M-Instruct"
        gaps = [later.time - earlier.time for earlier, later in pairwise(trace.tokens)]
        assert len({round(gap, 5) for gap in gaps}) > len(gaps) / 10, "times of a real run are not all alike"


def test_a_folder_without_recordings_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="no recorded runs"):
        read_recordings(tmp_path)
