"""Simulated faults: streamed by the same code as every answer, and without the model."""

import pytest
from fastapi import FastAPI

from demo.api.delivery import streamed
from demo.api.dialects.sse import KEEP_ALIVE
from demo.api.routes import simulated_faults as route
from demo.engine import Loading
from demo.engines import simulated_faults
from demo.engines.simulated_faults import BREAK, WORDS
from tests.api.client import ask, assert_refused, read_events
from tests.api.script import open_api
from tests.scripted import ScriptedEngine


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same scripts, with short pauses."""
    monkeypatch.setattr(streamed, "TICK_SECONDS", 0.005)
    monkeypatch.setattr(route, "KEEP_ALIVE_SECONDS", 0.02)
    monkeypatch.setattr(simulated_faults, "PAUSE_SECONDS", 0.2)
    monkeypatch.setattr(simulated_faults, "GAP_SECONDS", 0.001)


def test_a_pause_is_filled_with_the_comments_of_every_stream(app: FastAPI) -> None:
    response = ask(app, "GET", "/faults/pause")
    before, _, after = response.content.partition(KEEP_ALIVE)
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/event-stream"
    assert len(read_events(before)) == simulated_faults.PAUSE_AFTER
    assert read_events(after)[-1]["generated_text"] == "".join(WORDS["pause"])
    assert [event["token"]["text"] for event in read_events(response.content)] == list(WORDS["pause"])


def test_a_break_is_the_last_event_of_a_stream_that_began_well(app: FastAPI) -> None:
    response = ask(app, "GET", "/faults/break")
    *tokens, last = read_events(response.content)
    assert response.status_code == 200
    assert [event["token"]["text"] for event in tokens] == list(WORDS["break"])
    assert last == {"error": str(BREAK), "error_type": "generation"}


def test_another_kind_is_refused(app: FastAPI) -> None:
    assert_refused(ask(app, "GET", "/faults/nothing"), "/faults/nothing", 422, "validation", "kind")


def test_no_model_is_needed_and_its_metrics_do_not_count_it() -> None:
    engine = ScriptedEngine(Loading("reading"))
    app = open_api(engine)
    before = ask(app, "GET", "/metrics").text
    for kind in WORDS:
        assert ask(app, "GET", f"/faults/{kind}").status_code == 200
    assert ask(app, "GET", "/metrics").text == before
    assert not engine.tickets
