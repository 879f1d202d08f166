"""What goes wrong on purpose goes wrong as it would by itself: by the same code, and without the model."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from fastapi import FastAPI

from demo.api.delivery import response as delivery
from demo.api.dialects.sse import KEEP_ALIVE
from demo.api.routes import simulated_faults
from demo.api.routes.simulated_faults import BREAK, MAX_SHOWN, WORDS, SimulatedFaults
from demo.errors import Overloaded
from demo.events import Done, Failed, Loading, Request, Token
from demo.run import Run
from tests.api.client import ask, assert_refused, read_events
from tests.api.script import AnsweringEngine, open_api
from tests.scripted import ScriptedEngine


@pytest.fixture(autouse=True)
def haste(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same scripts, played in a moment."""
    monkeypatch.setattr(delivery, "TICK_SECONDS", 0.005)
    monkeypatch.setattr(simulated_faults, "KEEP_ALIVE_SECONDS", 0.02)
    monkeypatch.setattr(simulated_faults, "PAUSE_SECONDS", 0.2)
    monkeypatch.setattr(simulated_faults, "BEAT_SECONDS", 0.001)


def run(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(story())


def test_a_pause_is_filled_with_the_comments_of_every_stream(app: FastAPI) -> None:
    response = ask(app, "GET", "/faults/pause")
    before, _, after = response.content.partition(KEEP_ALIVE)
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/event-stream"
    assert len(read_events(before)) == simulated_faults.SILENT_AFTER
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


def test_the_model_is_not_asked_and_its_metrics_do_not_count_it() -> None:
    engine = AnsweringEngine()
    app = open_api(engine)
    before = ask(app, "GET", "/metrics").text
    for kind in WORDS:
        ask(app, "GET", f"/faults/{kind}")
    assert ask(app, "GET", "/metrics").text == before
    assert not engine.tickets


def test_it_can_be_seen_without_any_model() -> None:
    app = open_api(ScriptedEngine(Loading("reading")))
    assert ask(app, "GET", "/faults/break").status_code == 200


def test_nothing_is_held_once_the_last_reader_has_left() -> None:
    async def story() -> None:
        engine = SimulatedFaults()
        shown = Run(engine, Request("pause"))
        reader = shown.attach()
        async for batch in reader:
            if any(isinstance(event, Token) for event in batch):
                break
        reader.close()
        shown.cancel()
        await asyncio.sleep(0)
        assert shown.end is not None
        assert [type(event) for event in shown.events].count(Done) == 1
        await asyncio.sleep(0)
        assert engine.load.running == 0

    run(story)


def test_only_so_many_are_shown_at_once_and_their_places_come_free() -> None:
    async def story() -> None:
        engine = SimulatedFaults()
        shown = [Run(engine, Request("break")) for _ in range(MAX_SHOWN)]
        with pytest.raises(Overloaded, match="try again"):
            Run(engine, Request("break"))
        for each in shown:
            async for _ in each.attach():
                pass
            assert isinstance(each.end, Failed)
        await asyncio.sleep(0)
        Run(engine, Request("pause"))
        engine.close()

    run(story)
