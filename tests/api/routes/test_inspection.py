"""The routes that generate nothing, with exactly the fields that clients read."""

from dataclasses import replace
from typing import Any

import pytest
from fastapi import FastAPI

from demo import __version__
from demo.engine import Broken, Loading, Ready
from demo.errors import BadRequest, ModelError, NotReady
from demo.request import Request
from tests.api.client import GENERATING, ask, assert_refused, post
from tests.api.script import AnsweringEngine, TicketEngine, open_api
from tests.scripted import CARD, ScriptedEngine

INFO = {
    "model_id": "scripted",
    "model_sha": None,
    "model_dtype": "float32",
    "model_device_type": "cpu",
    "model_pipeline_tag": "text-generation",
    "max_concurrent_requests": 100,
    "max_new_tokens": None,
    "costs_quota": False,
    "max_best_of": 2,
    "max_stop_sequences": 4,
    "max_input_tokens": 1000,
    "max_total_tokens": 2000,
    "validation_workers": 1,
    "max_client_batch_size": 100,
    "plain_prompts": "raw",
    "router": "token-streaming",
    "version": __version__,
}


def test_info_has_tgis_fields_and_names_what_is_not_applied(app: FastAPI) -> None:
    info = ask(app, "GET", "/info").json()
    assert "not applied" in info.pop("watermark")
    assert info == INFO


def test_models_lists_the_one_with_its_root(app: FastAPI) -> None:
    assert ask(app, "GET", "/v1/models").json() == {"object": "list", "data": [write_entry("scripted")]}


def write_entry(id: str) -> dict[str, Any]:
    owner, limit = id.split("/")[0], 2000
    return {"id": id, "object": "model", "created": 0, "owned_by": owner, "root": id, "max_model_len": limit}


def test_a_model_is_retrieved_by_its_name_which_may_hold_slashes() -> None:
    app = open_api(ScriptedEngine(Ready(replace(CARD, model_id="owner/name"))))
    for path in ("/v1/models/owner/name", "/v1/models/owner%2Fname"):
        assert ask(app, "GET", path).json() == write_entry("owner/name")
    for path in ("/v1/models/owner", "/v1/models/name", "/v1/models/Owner/Name"):
        assert_refused(ask(app, "GET", path), path, 404, "not_found", "this server has owner/name")


@pytest.mark.parametrize("path", [*GENERATING, "/health", "/ping", "/info", "/v1/models"])
@pytest.mark.parametrize("status", [Loading("reading"), Broken(ModelError("no model"))], ids=["loading", "broken"])
def test_a_server_without_a_model_is_unhealthy(path: str, status: Loading | Broken) -> None:
    app = open_api(ScriptedEngine(status))
    response = post(app, path) if path in GENERATING else ask(app, "GET", path)
    assert_refused(response, path, 503, "healthcheck", "unhealthy")
    assert response.headers["retry-after"] == "1"


@pytest.mark.parametrize("path", ["/health", "/ping"])
def test_a_busy_server_is_healthy_and_one_whose_engine_hangs_is_not(path: str) -> None:
    engine = TicketEngine()
    app = open_api(engine)
    for _ in range(3):
        engine.submit(Request("hi"), lambda *events: None)
    engine.stalled = 59.0
    assert ask(app, "GET", path).json() == {"status": "ok", "running": 3, "waiting": 0, "limit": 100}
    engine.stalled = 61.0
    assert_refused(ask(app, "GET", path), path, 503, "healthcheck", "61 s")


def test_tokenize_returns_each_token_with_its_position(app: FastAPI) -> None:
    assert post(app, "/tokenize", inputs="a日😀").json() == [
        {"id": ord("a"), "text": "a", "start": 0, "stop": 1},
        {"id": ord("日"), "text": "日", "start": 1, "stop": 2},
        {"id": ord("😀"), "text": "😀", "start": 2, "stop": 3},
    ]


def test_chat_tokenize_returns_the_templated_text(app: FastAPI) -> None:
    messages = [{"role": "developer", "content": "a"}, {"role": "user", "content": [{"type": "text", "text": "b"}]}]
    body = post(app, "/chat_tokenize", messages=messages).json()
    assert body["templated_text"] == "a\nb"
    assert [piece["text"] for piece in body["tokenize_response"]] == ["a", "\n", "b"]


def test_chat_tokenize_refuses_what_a_chat_refuses(app: FastAPI) -> None:
    messages = [{"role": "tool", "content": "a"}]
    assert_refused(post(app, "/chat_tokenize", messages=messages), "/chat_tokenize", 422, "validation", "Tools")


class UntokenizedEngine(AnsweringEngine):
    """Refuses to tokenize."""

    def __init__(self, error: BadRequest | NotReady) -> None:
        super().__init__()
        self.error = error

    def tokenize(self, prompt: object, options: str = "{}") -> tuple[str, tuple[()]]:
        raise self.error


@pytest.mark.parametrize("path", ["/tokenize", "/chat_tokenize"])
@pytest.mark.parametrize(
    ("error", "status", "kind"), [(NotReady("unhealthy"), 503, "healthcheck"), (BadRequest("no"), 422, "validation")]
)
def test_what_cannot_be_tokenized_is_refused(path: str, error: BadRequest | NotReady, status: int, kind: str) -> None:
    assert_refused(post(open_api(UntokenizedEngine(error)), path), path, status, kind)


def test_a_busy_engine_still_tokenizes() -> None:
    engine = AnsweringEngine()
    engine.refusal = BadRequest("not asked")
    assert post(open_api(engine), "/tokenize").status_code == 200
