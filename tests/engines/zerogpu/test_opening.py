"""How the engine is opened: where it is, with a function that is decorated in every case, and for which visitors."""

import asyncio
from types import SimpleNamespace
from typing import cast

import pytest
from gradio.context import LocalContext
from starlette.types import Message, Receive, Scope, Send

from demo.engine import Broken
from demo.engines.zerogpu.gpu_run import Call, GpuRun
from demo.engines.zerogpu.gradio_context import QueuedCall, VisitorMiddleware
from demo.engines.zerogpu.opening import build_engine, is_zerogpu
from demo.settings import Settings


@pytest.mark.parametrize(
    ("value", "expected"), [("true", True), ("1", True), ("T", True), ("false", False), ("", False)]
)
def test_the_platform_is_known_by_its_variable(value: str, expected: bool) -> None:
    assert is_zerogpu({"SPACES_ZERO_GPU": value}) is expected
    assert not is_zerogpu({})


def test_a_model_that_cannot_be_loaded_leaves_a_page_and_a_decorated_function() -> None:
    decorated: list[Call] = []

    def decorate(call: Call) -> Call:
        decorated.append(call)
        return call

    engine = build_engine(Settings(model_id="./nowhere"), decorate, lambda run: None)
    assert isinstance(engine.status, Broken)
    assert "no such file or folder" in str(engine.status.error)
    assert len(decorated) == 1


def test_a_request_to_the_api_brings_its_visitors_token() -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request = LocalContext.request.get()
        assert request is not None
        seen.append(request.headers["x-ip-token"])

    async def receive() -> Message:
        raise AssertionError("nothing is read")

    async def send(message: Message) -> None:
        raise AssertionError("nothing is sent")

    scope = {"type": "http", "headers": [(b"x-ip-token", b"a token")]}
    asyncio.run(VisitorMiddleware(app)(scope, receive, send))
    assert seen == ["a token"]


def test_the_platforms_queue_learns_that_nobody_waits_any_more() -> None:
    run = SimpleNamespace(ended=False)
    call = QueuedCall(cast(GpuRun, run), port=7860)
    assert call.alive
    run.ended = True
    assert not call.active_jobs[0][0].alive
