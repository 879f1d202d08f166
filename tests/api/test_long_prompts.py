"""Much text at once: it is refused, or read beside the event loop, and leaves nothing behind."""

import json
import threading
from collections.abc import Callable

import pytest
from fastapi import FastAPI

from demo.api import json_route
from demo.api.json_route import parse_json
from demo.api.middleware.body_limit import LONG_BODY_BYTES
from demo.engine import Piece
from demo.engines.local.engine import LocalEngine
from demo.json_size import MAX_ESCAPES, MAX_VALUES
from demo.prompt_threads import LONG_PROMPT
from demo.request import Prompt
from tests.api.client import ask, assert_refused, post
from tests.api.routes.test_generation import SlowEngine
from tests.api.script import AnsweringEngine, open_api
from tests.api.serving import connect, read_to_end, serve_api, write_post
from tests.api.test_connection import read_body, read_status, wait_until
from tests.engines.local.conftest import wait_until_loaded
from tests.engines.local.tiny import make_model

PATIENCE = 20.0
MESSAGE = {"role": "user", "content": ""}
FLOODS = {
    "numbers": b'{"messages": [' + b"0," * 1_000_000 + b"0]}",
    "lists": b'{"messages": [' + b"[]," * 690_000 + b"[]]}",
    "parts": b'{"messages": [{"role": "user", "content": [' + b"0," * 1_000_000 + b"0]}]}",
    "messages": json.dumps({"messages": [MESSAGE] * 50_000}).encode(),
    "biases": json.dumps({"messages": [MESSAGE], "logit_bias": dict.fromkeys(range(100000), 0)}).encode(),
}


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/chat_tokenize", "/generate", "/jobs", "/crowds"])
@pytest.mark.parametrize("flood", FLOODS)
def test_a_body_of_too_many_values_is_refused_before_it_is_parsed(app: FastAPI, path: str, flood: str) -> None:
    response = ask(app, "POST", path, content=FLOODS[flood], headers={"content-type": "application/json"})
    assert_refused(response, path, 413, "too_large", f"more than {MAX_VALUES} JSON values")


def test_a_body_of_too_many_escapes_is_refused_before_it_is_parsed(app: FastAPI) -> None:
    response = post(app, "/generate", inputs="\n" * (MAX_ESCAPES + 1))
    assert_refused(response, "/generate", 413, "too_large", f"more than {MAX_ESCAPES} escaped characters")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_json_in_which_nothing_can_be_counted_is_refused(app: FastAPI, encoding: str) -> None:
    body = json.dumps({"inputs": "hi"}).encode(encoding)
    response = ask(app, "POST", "/generate", content=body, headers={"content-type": "application/json"})
    assert_refused(response, "/generate", 422, "validation", "not JSON in UTF-8")


def test_a_text_may_hold_any_number_of_commas_and_brackets(app: FastAPI) -> None:
    assert post(app, "/generate", inputs=",[{" * MAX_VALUES).status_code == 200


def test_of_many_wrong_messages_the_first_is_named_and_the_others_are_not_validated(app: FastAPI) -> None:
    response = post(app, "/v1/chat/completions", messages=[0] * 9_000)
    assert_refused(response, "/v1/chat/completions", 422, "validation", "`messages.0`")
    assert "more like it" not in response.text


def test_a_client_that_sends_a_flood_over_a_real_connection_gets_the_sentence() -> None:
    with serve_api(AnsweringEngine()) as url, connect(url) as client:
        client.sendall(write_post("/v1/chat/completions", FLOODS["numbers"]))
        assert read_status(client.recv(65536)) == 413


class TokenizingEngine(AnsweringEngine):
    """Records the threads that tokenize."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: list[threading.Thread] = []

    def tokenize(self, prompt: Prompt, options: str = "{}") -> tuple[str, tuple[Piece, ...]]:
        self.threads.append(threading.current_thread())
        return super().tokenize(prompt, options)


def test_a_long_text_is_tokenized_and_its_tokens_are_written_beside_the_event_loop() -> None:
    engine = TokenizingEngine()
    app = open_api(engine)
    for length, beside in ((10, False), (LONG_PROMPT, True)):
        tokens = post(app, "/tokenize", inputs="x" * length).json()
        assert [token["start"] for token in tokens] == list(range(length))
        post(app, "/chat_tokenize", messages=[{"role": "user", "content": "x" * length}])
        assert [thread is not threading.current_thread() for thread in engine.threads[-2:]] == [beside] * 2


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
            with connect(url) as client:
                client.sendall(write_post(path, long).replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
                answer = read_to_end(client)
            assert read_status(answer) == 422
            assert "bytes, and the 511 tokens that are accepted hold at most 6643" in read_body(answer)["error"]
        with connect(url) as client:
            short = write_post("/generate", b'{"inputs": "hello", "parameters": {"max_new_tokens": 2}}')
            client.sendall(short.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
            assert read_status(read_to_end(client)) == 200
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


@pytest.mark.parametrize(
    "path",
    ["/generate", "/", "/v1/chat/completions", "/v1/completions", "/v1/responses", "/tokenize", "/jobs", "/crowds"],
)
def test_every_route_that_takes_a_text_parses_it_so(app: FastAPI, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[int] = []
    monkeypatch.setattr(json_route, "parse_json", lambda body: parsed.append(len(body)))
    content = json.dumps({"inputs": LONG}).encode()
    assert ask(app, "POST", path, content=content, headers={"content-type": "application/json"}).status_code == 422
    assert parsed == [len(content)]
