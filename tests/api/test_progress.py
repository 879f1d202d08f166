"""`return_progress`: how much of a long prompt has been read, on every streaming route. Names are llama.cpp's."""

import json
import time
from typing import Any

import httpx2
import pytest

from demo.engine import Log, Ticket
from demo.events import PromptProgress, Started
from demo.request import Request
from tests.api.client import COMPLETIONS, OPENAI, STREAMED, WHOLE, ask, parse, post, read_events
from tests.api.script import HELLO, AnsweringEngine, open_api
from tests.api.visit import begin


class LongPromptEngine(AnsweringEngine):
    """Answers at once, with a prompt of 300 tokens, 200 of them cached, that was read in 60 ms and two chunks."""

    def submit(self, request: Request, log: Log) -> Ticket:
        def write(*events: Any) -> None:
            now = time.perf_counter()
            progress = PromptProgress(now + 0.04, 256, 300), PromptProgress(now + 0.06, 300, 300)
            log(Started(now, 300, 7, 200), *progress, *events[1:])

        return super().submit(request, write)


def ask_for_progress(path: str, body: dict[str, Any], **more: Any) -> httpx2.Response:
    asked = {"return_progress": True, **more}
    body = {**body, **asked} if path in OPENAI else {**body, "parameters": {"max_new_tokens": 9, **asked}}
    return post(open_api(LongPromptEngine()), path, **body)


@pytest.mark.parametrize("path", OPENAI)
def test_openais_routes_report_it_in_llama_cpps_chunk_without_a_choice(path: str) -> None:
    response = ask_for_progress(path, dict(STREAMED)[path])
    first, second, *tokens = read_events(response.content)
    assert first["choices"] == second["choices"] == []
    assert first["prompt_progress"] == {"total": 300, "cache": 200, "processed": 256, "time_ms": 40}
    assert second["prompt_progress"] == {"total": 300, "cache": 200, "processed": 300, "time_ms": 60}
    assert {first["id"], first["object"]} == {tokens[0]["id"], tokens[0]["object"]}
    assert len(tokens) == len(HELLO.tokens)
    assert not any("prompt_progress" in token for token in tokens)


@pytest.mark.parametrize(("path", "body"), [each for each in STREAMED if each[0] not in OPENAI])
def test_native_routes_report_it_in_comments_and_their_events_are_the_same(path: str, body: dict[str, Any]) -> None:
    reported = ask_for_progress(path, body).text
    assert reported.startswith(": prompt 256/300\n\n: prompt 300/300\n\ndata: {")
    silent = post(open_api(LongPromptEngine()), path, **body, parameters={"max_new_tokens": 9}).text
    assert reported.removeprefix(": prompt 256/300\n\n: prompt 300/300\n\n") == silent


@pytest.mark.parametrize(("path", "body"), [*STREAMED, *WHOLE])
def test_it_is_reported_only_to_a_stream_that_asks_for_it(path: str, body: dict[str, Any]) -> None:
    is_asked = (path, body) in WHOLE
    reply = ask_for_progress(path, body) if is_asked else post(open_api(LongPromptEngine()), path, **body)
    assert "progress" not in reply.text
    assert "prompt " not in reply.text


@pytest.mark.parametrize("path", OPENAI)
def test_of_several_answers_the_first_ones_prompt_is_reported(path: str) -> None:
    events = read_events(ask_for_progress(path, dict(STREAMED)[path], n=2).content)
    assert [event["prompt_progress"]["processed"] for event in events if "prompt_progress" in event] == [256, 300]


@pytest.mark.anyio
@pytest.mark.parametrize(("path", "body"), STREAMED)
async def test_how_many_prompts_are_read_before_it_is_a_comment(path: str, body: dict[str, Any]) -> None:
    asked = {"return_progress": True}
    engine, visit = await begin(path, {**body, **(asked if path in OPENAI else {"parameters": asked})})
    engine.ticket().queue(2, None)
    engine.ticket().queue(1, 1.5)
    said = b": queued 2 ahead\n\n: queued 1 ahead, first token in 1.5 s\n\n"
    await visit.until(lambda: visit.body == said)
    engine.ticket().answer(HELLO)
    await visit.until_ended()


@pytest.mark.anyio
async def test_it_is_sent_while_the_prompt_is_being_read() -> None:
    engine, visit = await begin("/generate_stream", {"inputs": "hi", "parameters": {"return_progress": True}})
    engine.ticket().start()
    engine.ticket().read(256, 300)
    await visit.until(lambda: b": prompt 256/300\n\n" in visit.body)
    engine.ticket().write_last("Hi", "length")
    await visit.until_ended()
    assert visit.status == 200


@pytest.mark.parametrize(("asked", "comments"), [(True, 2), (False, 0)])
def test_a_jobs_stream_reports_it_to_a_reader_from_the_beginning(asked: bool, comments: int) -> None:
    app = open_api(LongPromptEngine())
    begun = ask(app, "POST", "/jobs", json={"inputs": "hi", "parameters": {"return_progress": asked}})
    path = f"{begun.headers['location']}/events"
    assert ask(app, "GET", path).text.count(": prompt ") == comments
    assert ": prompt " not in ask(app, "GET", path, headers={"last-event-id": "1"}).text


def test_each_chunk_has_the_form_that_the_document_gives_it() -> None:
    document = open_api(LongPromptEngine()).openapi()
    fields = document["components"]["schemas"]["PromptProgress"]["properties"]
    response = ask_for_progress(COMPLETIONS, {"prompt": "hi", "stream": True})
    assert set(read_events(response.content)[0]["prompt_progress"]) == set(fields)
    assert "return_progress" in json.dumps(document["components"]["schemas"]["Parameters"])
    assert parse(response.text.split("\n\n")[0].removeprefix("data: "))["object"] == "text_completion"
