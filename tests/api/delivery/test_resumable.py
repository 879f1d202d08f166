"""A stream that was asked for as resumable is taken up again after any event; any other stops when it is cut."""

import asyncio
import re
from typing import Any

import pytest
from fastapi import FastAPI

from demo.api.delivery import resumable
from demo.errors import Overloaded
from tests.api.client import STREAMED, ask, assert_refused, fix
from tests.api.script import BREAK, AnsweringEngine, open_api
from tests.api.visit import Visit, begin

WANTED = {"x-resumable": "true"}


def list_ids(stream: bytes) -> list[str]:
    return re.findall(r"^id: (\S+)$", stream.decode(), re.MULTILINE)


def split(stream: bytes) -> list[bytes]:
    """Its events; the ending is one."""
    return [event + b"\n\n" for event in stream.split(b"\n\n")[:-1]]


@pytest.mark.parametrize(("path", "body"), STREAMED)
def test_after_each_event_the_rest_is_the_same_bytes_and_after_the_last_one_there_is_nothing(
    app: FastAPI, path: str, body: dict[str, Any]
) -> None:
    body = {**body, "stream_options": {"include_usage": True}}  # which the native routes ignore
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


@pytest.mark.anyio
async def test_a_run_goes_on_without_a_connection_and_its_rest_is_read_even_when_all_places_are_taken() -> None:
    engine, first = await begin(*STREAMED[0], WANTED)
    engine.ticket().start_with("One ")
    await first.until(lambda: b"One" in first.body)
    await first.hang_up()
    assert not engine.ticket().cancelled
    engine.ticket().write("two ")
    engine.refusal = Overloaded("full")
    seen = {"last-event-id": list_ids(first.body)[-1]}
    second = await Visit(first.app, *STREAMED[0], seen).start().until_listening()
    engine.ticket().fail(BREAK)
    await second.until_ended()
    assert len(engine.tickets) == 1
    assert [event.get("token", {}).get("text") for event in second.events] == ["two ", None]
    assert second.events[-1]["error"] == str(BREAK)


@pytest.mark.anyio
@pytest.mark.parametrize("headers", [{}, WANTED], ids=["plain", "resumable"])
async def test_nobody_comes_back_and_the_work_stops_when_the_stated_time_is_over(
    monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    monkeypatch.setattr(resumable.StreamStore.__init__, "__defaults__", (0.05,))
    engine, first = await begin(*STREAMED[0], headers)
    await first.hang_up()
    assert engine.ticket().cancelled is not bool(headers)
    assert await asyncio.to_thread(engine.ticket().stopped.wait, 10)


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


@pytest.mark.anyio
async def test_a_client_keeps_so_many_and_the_oldest_goes_first() -> None:
    app, ids = open_api(), []
    for _ in range(resumable.KEEP_OF_CLIENT + 1):
        each = await Visit(app, *STREAMED[0], WANTED).start().until_ended()
        ids.append(list_ids(each.body)[0])
    for id, status in zip(ids[:2], (404, 200), strict=True):
        again = await Visit(app, *STREAMED[0], {"last-event-id": id}).start().until_ended()
        assert again.status == status
