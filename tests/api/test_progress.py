"""How far a long prompt has been read, on every streaming route: only where it is asked for. Names are llama.cpp's."""

import asyncio
import json
import time
from typing import Any

import httpx2
import pytest

from demo.events import Log, PromptProgress, Request, Started, Ticket
from tests.api.client import STREAMED, parse, post, read_events
from tests.api.script import HELLO, AnsweringEngine, TicketEngine, open_api
from tests.api.visit import Visit

OPENAI = ("/v1/chat/completions", "/v1/completions")
routes = pytest.mark.parametrize(("path", "body"), STREAMED)


class LongPromptEngine(AnsweringEngine):
    """Answers at once, with a prompt of 300 tokens that was read in 60 ms and two chunks."""

    def submit(self, request: Request, log: Log) -> Ticket:
        def write(*events: Any) -> None:
            now = time.perf_counter()
            progress = (
                Started(now, 300, 7),
                PromptProgress(now + 0.04, 256, 300),
                PromptProgress(now + 0.06, 300, 300),
            )
            log(*progress, *events[1:])

        return super().submit(request, write)


def ask_for_progress(path: str, body: dict[str, Any], **more: Any) -> httpx2.Response:
    asked = {"return_progress": True, **more}
    body = {**body, **asked} if path in OPENAI else {**body, "parameters": {"max_new_tokens": 9, **asked}}
    return post(open_api(LongPromptEngine()), path, **body)


@pytest.mark.parametrize("path", OPENAI)
def test_openais_routes_tell_it_in_llama_cpps_chunk_without_a_choice(path: str) -> None:
    response = ask_for_progress(path, dict(STREAMED)[path])
    first, second, *tokens = read_events(response.content)
    assert first["choices"] == second["choices"] == []
    assert first["prompt_progress"] == {"total": 300, "cache": 0, "processed": 256, "time_ms": 40}
    assert second["prompt_progress"] == {"total": 300, "cache": 0, "processed": 300, "time_ms": 60}
    assert {first["id"], first["object"]} == {tokens[0]["id"], tokens[0]["object"]}
    assert len(tokens) == len(HELLO.tokens)
    assert not any("prompt_progress" in token for token in tokens)


@pytest.mark.parametrize(("path", "body"), [each for each in STREAMED if each[0] not in OPENAI])
def test_native_routes_tell_it_in_comments_and_their_events_are_as_ever(path: str, body: dict[str, Any]) -> None:
    told = ask_for_progress(path, body).text
    assert told.startswith(": prompt 256/300\n\n: prompt 300/300\n\ndata: {")
    silent = post(open_api(LongPromptEngine()), path, **body, parameters={"max_new_tokens": 9}).text
    assert told.removeprefix(": prompt 256/300\n\n: prompt 300/300\n\n") == silent


@routes
def test_nobody_is_told_who_has_not_asked(path: str, body: dict[str, Any]) -> None:
    text = post(open_api(LongPromptEngine()), path, **body).text
    assert text.startswith("data: {")
    assert "progress" not in text
    assert "prompt " not in text


@pytest.mark.parametrize("path", OPENAI)
def test_of_several_answers_the_first_ones_prompt_is_told_of(path: str) -> None:
    events = read_events(ask_for_progress(path, dict(STREAMED)[path], n=2).content)
    assert [event["prompt_progress"]["processed"] for event in events if "prompt_progress" in event] == [256, 300]


@routes
def test_a_whole_reply_is_the_same_with_it(path: str, body: dict[str, Any]) -> None:
    response = ask_for_progress(path, {**body, "stream": False})
    if path != "/generate_stream":  # it has no other kind
        assert response.headers["content-type"] == "application/json"
        assert "progress" not in response.text


def test_it_is_told_while_the_prompt_is_being_read() -> None:
    async def scene() -> None:
        engine = TicketEngine()
        app = open_api(engine)
        body = {"inputs": "hi", "parameters": {"return_progress": True}}
        visit = await Visit(app, "/generate_stream", body).start().until_listening()
        engine.ticket().start()
        engine.ticket().read(256, 300)
        await visit.until(lambda: b": prompt 256/300\n\n" in visit.body)
        engine.ticket().write_last("Hi", "length")
        await visit.until_ended()
        assert visit.status == 200

    asyncio.run(scene())


def test_a_jobs_stream_tells_it_to_a_reader_from_the_beginning() -> None:
    async def scene() -> None:
        app = open_api(LongPromptEngine())
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as client:
            for asked, comments in ((True, 2), (False, 0)):
                body = {"inputs": "hi", "parameters": {"return_progress": asked}}
                job = (await client.post("/jobs", json=body)).json()["id"]
                stream = (await client.get(f"/jobs/{job}/events")).text
                assert stream.count(": prompt ") == comments
                later = await client.get(f"/jobs/{job}/events", headers={"last-event-id": "1"})
                assert ": prompt " not in later.text

    asyncio.run(scene())


def test_each_chunk_has_the_form_that_the_document_gives_it() -> None:
    document = open_api(LongPromptEngine()).openapi()
    fields = document["components"]["schemas"]["PromptProgress"]["properties"]
    response = ask_for_progress("/v1/completions", {"prompt": "hi", "stream": True})
    assert set(read_events(response.content)[0]["prompt_progress"]) == set(fields)
    assert "return_progress" in json.dumps(document["components"]["schemas"]["Parameters"])
    assert parse(response.text.split("\n\n")[0].removeprefix("data: "))["object"] == "text_completion"
