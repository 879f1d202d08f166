"""The routes that tell of the server, and of texts: exactly what clients look for."""

import pytest
from fastapi import FastAPI

from demo import __version__
from demo.errors import BadRequest, ModelError, NotReady
from demo.events import Broken, Loading
from demo.settings import Settings
from tests.api.client import ask, assert_refused, post
from tests.api.script import AnsweringEngine, TicketEngine, open_api
from tests.scripted import ScriptedEngine

INFO = {
    "model_id": "scripted",
    "model_sha": None,
    "model_dtype": "float32",
    "model_device_type": "cpu",
    "model_pipeline_tag": "text-generation",
    "max_concurrent_requests": 100,
    "max_best_of": 2,
    "max_stop_sequences": 4,
    "max_input_tokens": 1000,
    "max_total_tokens": 2000,
    "validation_workers": 1,
    "max_client_batch_size": 4,
    "plain_prompts": "raw",
    "router": "token-streaming",
    "version": __version__,
}
LOADING, BROKEN = Loading("reading"), Broken(ModelError("no such model"))


def test_info_tells_what_tgi_tells_and_what_is_not_applied(app: FastAPI) -> None:
    info = ask(app, "GET", "/info").json()
    assert "not applied" in info.pop("watermark")
    assert info == INFO


def test_models_lists_the_one_with_its_root(app: FastAPI) -> None:
    entry = {"id": "scripted", "object": "model", "created": 0, "owned_by": "scripted", "root": "scripted"}
    assert ask(app, "GET", "/v1/models").json() == {"object": "list", "data": [entry]}


@pytest.mark.parametrize("path", ["/health", "/ping"])
def test_a_busy_server_is_healthy(path: str) -> None:
    engine = TicketEngine()
    app = open_api(engine)
    engine.submit_many(3)
    response = ask(app, "GET", path)
    assert response.status_code == 200
    assert response.json() == {"status": "ok", "running": 3, "waiting": 0, "limit": 100}


@pytest.mark.parametrize("path", ["/health", "/ping"])
@pytest.mark.parametrize("status", [LOADING, BROKEN], ids=["loading", "broken"])
def test_a_server_without_a_model_is_unhealthy(path: str, status: Loading | Broken) -> None:
    response = ask(open_api(ScriptedEngine(status)), "GET", path)
    assert_refused(response, path, 503, "healthcheck", "unhealthy")
    assert response.json()["error"].startswith("unhealthy")
    assert response.headers["retry-after"].isdigit()


@pytest.mark.parametrize("path", ["/health", "/ping"])
def test_a_server_whose_engine_hangs_is_unhealthy(path: str) -> None:
    engine = AnsweringEngine()
    app = open_api(engine)
    engine.stalled = 59.0
    assert ask(app, "GET", path).status_code == 200
    engine.stalled = 61.0
    assert_refused(ask(app, "GET", path), path, 503, "healthcheck", "61 s")


@pytest.mark.parametrize("path", ["/info", "/v1/models"])
@pytest.mark.parametrize("status", [LOADING, BROKEN], ids=["loading", "broken"])
def test_nothing_is_told_of_a_model_that_is_not_there(path: str, status: Loading | Broken) -> None:
    assert_refused(ask(open_api(ScriptedEngine(status)), "GET", path), path, 503, "healthcheck", "unhealthy")


def test_tokenize_tells_each_token_with_its_place(app: FastAPI) -> None:
    assert post(app, "/tokenize", inputs="a日😀").json() == [
        {"id": ord("a"), "text": "a", "start": 0, "stop": 1},
        {"id": ord("日"), "text": "日", "start": 1, "stop": 2},
        {"id": ord("😀"), "text": "😀", "start": 2, "stop": 3},
    ]


def test_chat_tokenize_tells_the_text_that_the_model_reads(app: FastAPI) -> None:
    messages = [{"role": "developer", "content": "a"}, {"role": "user", "content": [{"type": "text", "text": "b"}]}]
    body = post(app, "/chat_tokenize", messages=messages).json()
    assert body["templated_text"] == "a\nb"
    assert [piece["text"] for piece in body["tokenize_response"]] == ["a", "\n", "b"]


def test_chat_tokenize_refuses_what_a_chat_refuses(app: FastAPI) -> None:
    messages = [{"role": "tool", "content": "a"}]
    assert_refused(post(app, "/chat_tokenize", messages=messages), "/chat_tokenize", 422, "validation", "Tools")


class Wordless(AnsweringEngine):
    """Can't split texts."""

    def __init__(self, error: BadRequest | NotReady) -> None:
        super().__init__()
        self.error = error

    def tokenize(self, prompt: object) -> tuple[str, tuple[()]]:
        raise self.error


@pytest.mark.parametrize("path", ["/tokenize", "/chat_tokenize"])
@pytest.mark.parametrize(
    ("error", "status", "kind"), [(NotReady("unhealthy"), 503, "healthcheck"), (BadRequest("no"), 422, "validation")]
)
def test_what_can_not_be_split_is_refused(path: str, error: BadRequest | NotReady, status: int, kind: str) -> None:
    assert_refused(post(open_api(Wordless(error)), path), path, status, kind)


def test_busy_engines_still_split_texts() -> None:
    engine = AnsweringEngine()
    engine.refusal = BadRequest("not asked")
    assert post(open_api(engine, Settings()), "/tokenize").status_code == 200
