"""Much text at once: it is refused, or read beside the event loop, and leaves nothing behind."""

import asyncio
import json
import threading
from collections.abc import Callable

import pytest
from fastapi import FastAPI
from starlette.types import Message, Receive, Scope, Send

from demo.api import json_route
from demo.api.json_route import parse_json
from demo.api.middleware.body_limit import LONG_BODY_BYTES, BodyLimitMiddleware
from demo.api.routes.generation import start_runs
from demo.engine import Log, Piece, Ticket
from demo.engines.local.engine import LocalEngine
from demo.json_size import MAX_ESCAPES, MAX_VALUES
from demo.prompt_threads import LONG_PROMPT, MESSAGE_COST
from demo.request import Prompt, Request
from tests.api.client import CHAT, COMPLETIONS, PATIENCE, RESPONSES, ask, assert_refused, post
from tests.api.script import AnsweringEngine, TicketEngine, open_api
from tests.api.serving import connect, exchange, serve_api, write_post
from tests.api.test_connection import read_body, read_status, wait_until
from tests.engines.local.conftest import wait_until_loaded
from tests.engines.local.tiny import make_model

MESSAGE = {"role": "user", "content": ""}
FLOODS = {
    "numbers": b'{"messages": [' + b"0," * 1_000_000 + b"0]}",
    "lists": b'{"messages": [' + b"[]," * 690_000 + b"[]]}",
    "parts": b'{"messages": [{"role": "user", "content": [' + b"0," * 1_000_000 + b"0]}]}",
    "messages": json.dumps({"messages": [MESSAGE] * 50_000}).encode(),
    "biases": json.dumps({"messages": [MESSAGE], "logit_bias": dict.fromkeys(range(100000), 0)}).encode(),
}


@pytest.mark.parametrize("path", [CHAT, "/chat_tokenize", "/generate", "/jobs", "/crowds"])
@pytest.mark.parametrize("flood", FLOODS)
def test_a_body_of_too_many_values_is_refused_before_it_is_parsed(app: FastAPI, path: str, flood: str) -> None:
    response = ask(app, "POST", path, content=FLOODS[flood])
    assert_refused(response, path, 413, "too_large", f"more than {MAX_VALUES} JSON values")


def test_escapes_are_counted_too_but_no_marks_within_a_text(app: FastAPI) -> None:
    response = post(app, "/generate", inputs="\n" * (MAX_ESCAPES + 1))
    assert_refused(response, "/generate", 413, "too_large", f"more than {MAX_ESCAPES} escaped characters")
    assert post(app, "/generate", inputs=",[{" * MAX_VALUES).status_code == 200


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_json_in_which_nothing_can_be_counted_is_refused(app: FastAPI, encoding: str) -> None:
    response = ask(app, "POST", "/generate", content=json.dumps({"inputs": "hi"}).encode(encoding))
    assert_refused(response, "/generate", 422, "validation", "not JSON in UTF-8")


def test_of_many_wrong_messages_the_first_is_named_and_the_others_are_not_validated(app: FastAPI) -> None:
    response = post(app, CHAT, messages=[0] * 9_000)
    assert_refused(response, CHAT, 422, "validation", "`messages.0`")
    assert "more like it" not in response.text


def test_a_client_that_sends_a_flood_over_a_real_connection_gets_the_sentence() -> None:
    with serve_api(AnsweringEngine()) as url, connect(url) as client:
        client.sendall(write_post(CHAT, FLOODS["numbers"]))
        assert read_status(client.recv(65536)) == 413


@pytest.mark.anyio
@pytest.mark.parametrize(("size", "different"), [(LONG_BODY_BYTES + 1, 4), (LONG_BODY_BYTES, 1)])
async def test_of_bodies_that_arrive_together_only_one_long_one_is_parsed_in_a_turn(size: int, different: int) -> None:
    turns, turn = [], 0

    async def parse(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        turns.append(turn)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"x" * size, "more_body": False}

    async def send(message: Message) -> None:
        raise AssertionError(message)

    async def count() -> None:
        nonlocal turn
        while True:
            await asyncio.sleep(0)
            turn += 1

    counting, limit = asyncio.create_task(count()), BodyLimitMiddleware(parse)
    await asyncio.gather(*[limit({"type": "http", "headers": []}, receive, send) for _ in range(4)])
    counting.cancel()
    assert len(turns) == 4
    assert len(set(turns)) == different


class ThreadRecordingEngine(AnsweringEngine):
    """Records the threads that submit and tokenize."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: list[threading.Thread] = []

    def submit(self, request: Request, log: Log) -> Ticket:
        self.threads.append(threading.current_thread())
        return super().submit(request, log)

    def tokenize(self, prompt: Prompt, options: str = "{}") -> tuple[str, tuple[Piece, ...]]:
        self.threads.append(threading.current_thread())
        return super().tokenize(prompt, options)


@pytest.mark.parametrize(("length", "beside"), [(LONG_PROMPT - 1, False), (LONG_PROMPT, True)])
def test_a_long_text_is_encoded_and_its_tokens_are_written_beside_the_event_loop(length: int, beside: bool) -> None:
    engine = ThreadRecordingEngine()
    app = open_api(engine)
    messages = [{"role": "user", "content": "x" * (length - 2 * MESSAGE_COST - 1)}, {"role": "user", "content": "y"}]
    for path, body in (("/generate", {"inputs": "x" * length}), (CHAT, {"messages": messages})):
        assert post(app, path, **body).status_code == 200
    tokens = post(app, "/tokenize", inputs="x" * length).json()
    assert [token["start"] for token in tokens] == list(range(length))
    post(app, "/chat_tokenize", messages=messages)
    assert [thread is not threading.current_thread() for thread in engine.threads] == [beside] * 4


class SlowEngine(TicketEngine):
    """Takes until `open` to admit."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.open, self.admitted = threading.Event(), threading.Event(), threading.Event()

    def submit(self, request: Request, log: Log) -> Ticket:
        self.asked.set()
        assert self.open.wait(PATIENCE)
        ticket = super().submit(request, log)
        self.admitted.set()
        return ticket


@pytest.mark.anyio
async def test_a_request_that_is_cancelled_while_its_prompt_is_encoded_stops_the_work() -> None:
    engine = SlowEngine()
    starting = asyncio.ensure_future(start_runs(engine, "", LONG_PROMPT, lambda: [Request("x" * LONG_PROMPT)]))
    assert await asyncio.to_thread(engine.asked.wait, PATIENCE)
    starting.cancel()
    await asyncio.wait({starting}, timeout=0.01)
    engine.open.set()
    await asyncio.wait({starting}, timeout=PATIENCE)
    assert starting.cancelled()
    assert await asyncio.to_thread(engine.admitted.wait, PATIENCE)
    assert await asyncio.to_thread(engine.ticket().stopped.wait, PATIENCE)


def test_a_client_that_hangs_up_while_its_prompt_is_encoded_leaves_no_place_taken() -> None:
    engine = SlowEngine()
    with serve_api(engine) as url:
        with connect(url) as client:
            client.sendall(write_post("/generate_stream", json.dumps({"inputs": "x" * LONG_PROMPT}).encode()))
            assert engine.asked.wait(PATIENCE)
        engine.open.set()
        assert engine.admitted.wait(PATIENCE)
        assert wait_until(lambda: engine.ticket().cancelled)


def test_two_megabytes_are_refused_by_the_real_engine_for_their_bytes_and_a_short_request_is_answered() -> None:
    worker = LocalEngine(lambda report: make_model(), 4)
    wait_until_loaded(worker)
    long = json.dumps({"inputs": "The first step in making cheese. " * 60_000}).encode()
    with serve_api(worker) as url:
        for path in ("/generate", "/generate_stream", "/jobs", "/tokenize"):
            answer = exchange(url, write_post(path, long, "Connection: close"))
            assert read_status(answer) == 422
            assert "bytes, and the 511 tokens that are accepted hold at most 6643" in read_body(answer)["error"]
        short = b'{"inputs": "hello", "parameters": {"max_new_tokens": 2}}'
        assert read_status(exchange(url, write_post("/generate", short, "Connection: close"))) == 200
    assert worker.load.running == worker.load.waiting == 0


LONG = "x" * (LONG_BODY_BYTES + 1)
BODIES = [
    f'{{"a": "{LONG}", "b": [1, -0.0, 1e5, true, null], "b": "twice"}}',
    f'{{"a": "{LONG}\\ud800"}}',
    f'{{"a": "{LONG}", "b": [NaN, -Infinity, 1e400]}}',
    f'{{"a": "{LONG}\\n\\u65e5\\ud83d\\uddfc日"}}',
    f'{{"a": "{LONG}", }}',
    f'{{"a": "{LONG}',
]


@pytest.mark.parametrize("body", BODIES)
def test_a_long_body_is_parsed_as_a_short_one_is(body: str) -> None:
    def parse(parser: Callable[[bytes], object]) -> str:
        try:
            return repr(parser(body.encode()))
        except json.JSONDecodeError as error:
            return repr((error.msg, error.pos))

    assert parse(parse_json) == parse(json.loads)


@pytest.mark.parametrize("path", ["/generate", "/", CHAT, COMPLETIONS, RESPONSES, "/tokenize", "/jobs", "/crowds"])
def test_every_route_that_takes_a_text_parses_it_so(app: FastAPI, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[int] = []
    monkeypatch.setattr(json_route, "parse_json", lambda body: parsed.append(len(body)))
    content = json.dumps({"inputs": LONG}).encode()
    assert ask(app, "POST", path, content=content).status_code == 422
    assert parsed == [len(content)]
