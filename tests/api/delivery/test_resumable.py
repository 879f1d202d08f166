"""A stream that was asked for as resumable is taken up again after any event; any other stops when it is cut."""

import asyncio
import re
from typing import Any

import pytest
from fastapi import FastAPI

from demo.api.delivery import resumable
from demo.errors import EngineFailed, Overloaded
from tests.api.client import STREAMED, ask, assert_refused, fix
from tests.api.script import AnsweringEngine, TicketEngine, open_api
from tests.api.visit import Visit

WANTED = {"x-resumable": "true"}
FAILURE = EngineFailed("Request failed during generation: it broke.")


def list_ids(stream: bytes) -> list[str]:
    return re.findall(r"^id: (\S+)$", stream.decode(), re.MULTILINE)


def split(stream: bytes) -> list[bytes]:
    """Its events; the ending is one."""
    return [event + b"\n\n" for event in stream.split(b"\n\n")[:-1]]


def with_usage(path: str, body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "stream_options": {"include_usage": True}} if path.startswith("/v1") else body


@pytest.mark.parametrize(("path", "body"), STREAMED)
def test_after_each_event_the_rest_is_the_same_bytes_and_after_the_last_one_there_is_nothing(
    app: FastAPI, path: str, body: dict[str, Any]
) -> None:
    body = with_usage(path, body)
    whole = ask(app, "POST", path, json=body, headers=WANTED)
    ids, events = list_ids(whole.content), split(whole.content)
    assert len(ids) == (3 if path.startswith("/v1") else 2)
    for seen, id in enumerate(ids[:-1], start=1):
        rest = ask(app, "POST", path, json=body, headers={**WANTED, "last-event-id": id})
        assert rest.content == b"".join(events[seen:])
    last = ask(app, "POST", path, json=body, headers={"last-event-id": ids[-1]})
    assert (last.status_code, last.content) == (204, b"")


@pytest.mark.parametrize(("path", "body"), STREAMED)
def test_without_the_header_no_byte_differs_and_with_it_only_the_ids_are_added(
    app: FastAPI, path: str, body: dict[str, Any]
) -> None:
    plain, asked = (ask(app, "POST", path, json=body, headers=headers) for headers in ({}, WANTED))
    assert b"id: " not in plain.content.replace(b'"id": ', b"")
    assert re.sub(r"^id: \S+\n", "", fix(asked), flags=re.MULTILINE) == fix(plain)


def test_a_run_goes_on_without_a_connection_and_its_rest_is_read_even_when_all_places_are_taken() -> None:
    async def visit() -> tuple[TicketEngine, Visit]:
        engine = TicketEngine()
        app, path, body = open_api(engine), *STREAMED[0]
        first = await Visit(app, path, body, WANTED).start().until_listening()
        engine.ticket().start()
        engine.ticket().write("One ")
        await first.until(lambda: b"One" in first.body)
        first.leave()
        await first.until_ended()
        assert not engine.ticket().cancelled
        engine.ticket().write("two ")
        engine.refusal = Overloaded("full")
        second = await Visit(app, path, body, {"last-event-id": list_ids(first.body)[-1]}).start().until_listening()
        engine.ticket().fail(FAILURE)
        await second.until_ended()
        return engine, second

    engine, second = asyncio.run(visit())
    assert len(engine.tickets) == 1
    assert [event.get("token", {}).get("text") for event in second.events] == ["two ", None]
    assert second.events[-1]["error"] == str(FAILURE)


def test_nobody_comes_back_and_the_work_stops_when_the_stated_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    async def visit(headers: dict[str, str]) -> TicketEngine:
        engine = TicketEngine()
        app, path, body = open_api(engine), *STREAMED[0]
        first = await Visit(app, path, body, headers).start().until_listening()
        first.leave()
        await first.until_ended()
        stopped_at_once = engine.ticket().cancelled
        assert stopped_at_once is not bool(headers)
        await asyncio.to_thread(engine.ticket().stopped.wait, 10)
        return engine

    monkeypatch.setattr(resumable.StreamStore.__init__, "__defaults__", (0.05,))
    for headers in ({}, WANTED):
        assert asyncio.run(visit(headers)).ticket().cancelled


@pytest.mark.parametrize(("path", "body"), STREAMED)
@pytest.mark.parametrize("id", ["0123-1", "1", "-", "0123-x", "-²"])
def test_an_unknown_event_is_refused_in_one_sentence(app: FastAPI, path: str, body: dict[str, Any], id: str) -> None:
    response = ask(app, "POST", path, json=body, headers=[("last-event-id", id.encode())])
    assert_refused(response, path, 404, "not_found", "There is no stream with this `Last-Event-ID`")


def test_several_answers_are_refused_before_any_begins() -> None:
    engine = AnsweringEngine()
    path, body = STREAMED[2]
    response = ask(open_api(engine), "POST", path, json={**body, "n": 2}, headers=WANTED)
    assert_refused(response, path, 422, "validation", "can't be taken up again")
    assert not engine.tickets


def test_a_client_keeps_so_many_and_the_oldest_goes_first() -> None:
    async def visit() -> list[int | None]:
        app, path, body = open_api(), *STREAMED[0]
        ids: list[str] = []
        for _ in range(resumable.KEEP_OF_CLIENT + 1):
            each = Visit(app, path, body, WANTED).start()
            await each.until_ended()
            ids.append(list_ids(each.body)[0])
        again = [Visit(app, path, body, {"last-event-id": id}).start() for id in (ids[0], ids[1])]
        for each in again:
            await each.until_ended()
        return [each.status for each in again]

    assert asyncio.run(visit()) == [404, 200]
