"""One line of JSON for each request, without its prompt; and a name for it, the client's where that is a plain one."""

import asyncio
import logging
from typing import Any

import pytest
from fastapi import FastAPI

from demo.errors import Overloaded
from demo.settings import Settings
from tests.api.client import MINIMAL, ask, parse, post
from tests.api.script import AnsweringEngine, TicketEngine, open_api
from tests.api.visit import Visit, make_scope


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """The access log."""
    caplog.set_level(logging.INFO, logger="demo.access")
    return caplog


def read_lines(log: pytest.LogCaptureFixture) -> list[Any]:
    return [parse(record.getMessage()) for record in log.records if record.name == "demo.access"]


@pytest.mark.parametrize("path", MINIMAL)
def test_each_request_is_one_line_with_its_figures(app: FastAPI, log: pytest.LogCaptureFixture, path: str) -> None:
    response = post(app, path)
    (line,) = read_lines(log)
    assert line["request_id"] == response.headers["x-request-id"]
    assert (line["method"], line["path"], line["status"]) == ("POST", path, 200)
    assert line["bytes"] == len(response.content)
    assert line["seconds"] > 0
    if "tokenize" in path:
        assert line["answers"] == []
        return
    (answer,) = line["answers"]
    assert (answer["prompt_tokens"], answer["generated_tokens"], answer["finish_reason"]) == (3, 2, "length")
    times = ["validation_time", "queue_time", "inference_time", "total_time", "time_per_token", "time_to_first_token"]
    assert list(answer)[4:] == times
    assert all(answer[name] >= 0 for name in times)


def test_prompts_are_not_logged_unless_asked(log: pytest.LogCaptureFixture) -> None:
    secret = "my name is Ada 日"
    post(open_api(), "/generate", inputs=secret)
    assert secret not in log.text
    post(open_api(settings=Settings(log_prompts=True)), "/generate", inputs=secret)
    assert read_lines(log)[-1]["answers"][0]["prompt"] == secret


def test_every_choice_has_its_figures(app: FastAPI, log: pytest.LogCaptureFixture) -> None:
    post(app, "/v1/chat/completions", n=3)
    assert len(read_lines(log)[0]["answers"]) == 3


@pytest.mark.parametrize("name", ["a", "Abc-1.2:3_4", "x" * 128])
def test_a_plain_name_is_kept(app: FastAPI, name: str) -> None:
    response = ask(app, "GET", "/info", headers={"x-request-id": name})
    assert response.headers["x-request-id"] == name


@pytest.mark.parametrize("name", [b"", b"a b", b"x" * 129, b'"', b"{}", b"\xe9", b"a\tb"])
def test_any_other_name_is_replaced(app: FastAPI, name: bytes) -> None:
    given = ask(app, "GET", "/info", headers={"x-request-id": name}).headers["x-request-id"]
    assert given.isalnum()
    assert given != ask(app, "GET", "/info").headers["x-request-id"]


@pytest.mark.parametrize("path", ["/", "/health", "/ping", "/metrics", "/docs", "/nowhere"])
def test_what_machines_ask_all_the_time_is_not_logged(app: FastAPI, log: pytest.LogCaptureFixture, path: str) -> None:
    ask(app, "GET", path)
    assert not read_lines(log)


def test_a_refused_request_is_logged_with_its_status(log: pytest.LogCaptureFixture) -> None:
    engine = AnsweringEngine()
    app = open_api(engine)
    post(app, "/generate", inputs="")
    ask(app, "GET", "/v1/nowhere")
    engine.refusal = Overloaded("Model is overloaded")
    post(app, "/")
    found = [(line["path"], line["status"], line["answers"]) for line in read_lines(log)]
    assert found == [("/generate", 422, []), ("/v1/nowhere", 404, []), ("/", 429, [])]


def test_a_client_that_leaves_is_logged_as_left(log: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        engine = TicketEngine()
        visit = Visit(open_api(engine), "/generate_stream", {"inputs": "hi"}, {"x-request-id": "one"})
        await visit.start().until_listening()
        engine.ticket().start()
        engine.ticket().write("a")
        await visit.until(lambda: len(visit.writes) == 1)
        visit.leave()
        await visit.until_ended()

    asyncio.run(story())
    (line,) = read_lines(log)
    assert (line["request_id"], line["status"]) == ("one", 200)
    assert line["answers"] == [{"prompt_tokens": 3, "cached_tokens": 0, "generated_tokens": 1, "finish_reason": "left"}]


@pytest.mark.parametrize("path", ["*", "", "host:80"])
def test_a_target_without_a_slash_is_answered(app: FastAPI, path: str) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app(make_scope(path, "OPTIONS"), receive, send))
    assert sent[0]["status"] in (307, 404, 405)


def test_names_are_given_to_every_logged_route(app: FastAPI) -> None:
    for path in MINIMAL:
        assert post(app, path).headers["x-request-id"]
