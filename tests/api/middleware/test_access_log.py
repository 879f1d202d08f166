"""One line of JSON for each request, without its prompt; and a name for it, the client's where that is a plain one."""

import logging
from typing import Any

import pytest
from fastapi import FastAPI

from demo.errors import Overloaded
from demo.settings import Settings
from tests.api.client import MINIMAL, ask, parse, post
from tests.api.script import BREAK, AnsweringEngine, open_api
from tests.api.visit import Visit, begin


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
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


def test_a_plain_id_is_kept_and_any_other_replaced(app: FastAPI) -> None:
    def read_id(given: bytes) -> str:
        return ask(app, "GET", "/info", headers={"x-request-id": given}).headers["x-request-id"]

    plain = [b"a", b"Abc-1.2:3_4", b"x" * 128]
    assert [read_id(each).encode() for each in plain] == plain
    replaced = [read_id(each) for each in (b"", b"a b", b"x" * 129, b'"', b"{}", b"\xe9", b"a\tb")]
    assert all(each.isalnum() and len(each) == 16 for each in replaced)
    assert len(set(replaced)) == len(replaced)


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


@pytest.mark.anyio
async def test_a_client_that_leaves_is_logged_as_left(log: pytest.LogCaptureFixture) -> None:
    engine, visit = await begin("/generate_stream", {"inputs": "hi"}, {"x-request-id": "one"})
    engine.ticket().start_with("a")
    await visit.until(lambda: len(visit.writes) == 1)
    await visit.hang_up()
    (line,) = read_lines(log)
    assert (line["request_id"], line["status"]) == ("one", 200)
    assert line["answers"] == [{"prompt_tokens": 3, "cached_tokens": 0, "generated_tokens": 1, "finish_reason": "left"}]


@pytest.mark.anyio
@pytest.mark.parametrize(("is_cancelled", "reason"), [(False, "generation"), (True, "incomplete_generation")])
async def test_an_answer_that_fails_is_logged_with_the_kind_of_its_error(
    log: pytest.LogCaptureFixture, is_cancelled: bool, reason: str
) -> None:
    engine, visit = await begin("/generate", {"inputs": "hi"})
    engine.ticket().start_with("a")
    if is_cancelled:
        engine.close()
    else:
        engine.ticket().fail(BREAK)
    await visit.until_ended()
    ((answer,),) = [line["answers"] for line in read_lines(log)]
    assert (answer["generated_tokens"], answer["finish_reason"]) == (1, reason)
    assert answer["total_time"] > 0


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["*", "", "host:80"])
async def test_a_target_without_a_slash_is_answered(app: FastAPI, path: str) -> None:
    visit = await Visit(app, path, {}, method="OPTIONS").start().until_ended()
    assert visit.status in (307, 404, 405)
