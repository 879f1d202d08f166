"""Errors of every kind: their status, and the one body that the route's clients read."""

from typing import Any

import pytest
from fastapi import FastAPI

from demo.errors import BadRequest, ContextExceeded, DemoError, EngineFailed, NotReady, Overloaded, TemplateRefused
from tests.api.client import GENERATING, MINIMAL, STREAMED, WHOLE, ask, assert_refused, parse, post, read_error
from tests.api.script import AnsweringEngine, TicketEngine, open_api
from tests.api.visit import Visit, begin

BREAK = EngineFailed("Request failed during generation: it broke.")
KINDS = [
    (BadRequest("x."), 422, "validation", "Input validation error: x."),
    (TemplateRefused("x."), 422, "template_error", "Template error: x."),
    (Overloaded("Model is overloaded: x."), 429, "overloaded", "Model is overloaded: x."),
    (NotReady("unhealthy: x."), 503, "healthcheck", "unhealthy: x."),
    (EngineFailed("Request failed during generation: x."), 424, "generation", "Request failed during generation: x."),
]


@pytest.mark.parametrize("path", GENERATING)
def test_a_request_beyond_the_context_has_the_code_that_clients_look_for(path: str) -> None:
    engine = AnsweringEngine()
    app = open_api(engine)
    engine.refusal = ContextExceeded("too long.")
    for stream in (False, True):
        response = post(app, path, stream=stream)
        error = parse(response.content)["error"]
        if path.startswith("/v1/"):
            assert (response.status_code, error["code"]) == (400, "context_length_exceeded")
            assert error["message"] == "Input validation error: too long."
        else:
            assert (response.status_code, error) == (422, "Input validation error: too long.")


class BusyEngine(AnsweringEngine):
    """Refuses on submit, and not before the body is read."""

    def admit(self) -> None:
        pass


@pytest.mark.parametrize("path", GENERATING)
@pytest.mark.parametrize(("error", "status", "kind", "text"), KINDS, ids=[kind for _, _, kind, _ in KINDS])
@pytest.mark.parametrize("engine_type", [AnsweringEngine, BusyEngine], ids=["on admission", "on submit"])
def test_a_refusal_has_its_status_and_its_body_streamed_and_whole(
    engine_type: type[AnsweringEngine], path: str, error: DemoError, status: int, kind: str, text: str
) -> None:
    engine = engine_type()
    app = open_api(engine)
    engine.refusal = error
    for body in ({}, {"stream": True}):
        response = post(app, path, **body)
        assert_refused(response, path, status, kind, text)
        assert response.headers.get("retry-after") == ("1" if status in (429, 503) else None)


@pytest.mark.anyio
@pytest.mark.parametrize("is_cancelled", [False, True], ids=["broken", "cancelled"])
@pytest.mark.parametrize("written", [0, 1])
@pytest.mark.parametrize(("path", "body"), [*STREAMED, *WHOLE])
async def test_an_error_has_its_own_status_or_is_the_last_event_after_a_token(
    path: str, body: dict[str, Any], written: int, is_cancelled: bool
) -> None:
    engine, visit = await begin(path, body)
    engine.ticket().start_with(*["a"] * written)
    has_begun = bool(written) and (path, body) in STREAMED
    if has_begun:
        await visit.until(lambda: len(visit.writes) == 1)
    if is_cancelled:
        engine.close()
    else:
        engine.ticket().fail(BREAK)
    await visit.until_ended()
    kind, status = ("incomplete_generation", 500) if is_cancelled else ("generation", 424)
    text = "Incomplete generation: " if is_cancelled else str(BREAK)
    assert visit.status == (200 if has_begun else status)
    body = visit.events[-1] if has_begun else parse(visit.body)
    assert read_error(body, path, status, kind).startswith(text)
    assert len(visit.events) == (2 if has_begun else 0)
    assert b"[DONE]" not in visit.body
    assert not visit.sent[-1]["more_body"]


@pytest.mark.anyio
@pytest.mark.parametrize(("path", "body"), STREAMED)
async def test_a_failure_that_comes_with_the_first_token_still_delivers_it(path: str, body: dict[str, Any]) -> None:
    engine, visit = await begin(path, body)
    engine.ticket().start_with("a")
    engine.ticket().fail(BREAK)
    await visit.until_ended()
    assert visit.status == 200
    assert ["error" in event for event in visit.events] == [False, True]


@pytest.mark.parametrize("path", MINIMAL)
@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "body is missing"),
        (b"{", "is not JSON"),
        (b"nonsense", "is not JSON"),
        (b"[]", "not a JSON object"),
        (b'"text"', "not a JSON object"),
        (b"null", "body is missing"),
        (b"\xff\xfe", "not JSON"),
        (b'{"inputs": "\xff"}', "not JSON"),
        (b"[" * 9_000, "not JSON"),
    ],
    ids=["empty", "cut off", "a word", "a list", "a string", "null", "no text", "half a character", "deep"],
)
def test_a_body_that_is_not_a_json_object_is_refused_in_a_sentence(
    app: FastAPI, path: str, body: bytes, sentence: str
) -> None:
    assert_refused(ask(app, "POST", path, content=body), path, 422, "validation", sentence)


@pytest.mark.parametrize("path", MINIMAL)
def test_a_body_without_its_content_type_is_refused_in_a_sentence(app: FastAPI, path: str) -> None:
    response = ask(app, "POST", path, content=b'{"inputs": "hi"}', headers={"content-type": "text/plain"})
    assert_refused(response, path, 422, "validation", "Content-Type: application/json")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize("path", ["/nowhere", "/v1/nowhere", "/v1/chat/nowhere", "/v1/", "/generate/x", "/%00", "/日"])
def test_an_unknown_path_is_404_in_the_shape_its_clients_read(app: FastAPI, method: str, path: str) -> None:
    assert_refused(ask(app, method, path), path, 404, "not_found")


@pytest.mark.anyio
@pytest.mark.parametrize("path", GENERATING)
async def test_overload_is_answered_before_the_body_is_read(path: str) -> None:
    engine = TicketEngine()
    engine.refusal = Overloaded("Model is overloaded")
    visit = await Visit(open_api(engine), path, {}).start().until_ended()
    assert (visit.status, visit.unread) == (429, True)
