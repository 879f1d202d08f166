"""A long prompt is encoded beside the event loop."""

import asyncio
import threading

import pytest

from demo.api.routes.generation import start_runs
from demo.engine import Log, Ticket
from demo.prompt_threads import LONG_PROMPT, MESSAGE_COST
from demo.request import Request
from tests.api.client import PATIENCE, ask, post
from tests.api.script import AnsweringEngine, TicketEngine, open_api


class ThreadRecordingEngine(AnsweringEngine):
    """Records the threads that submit."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: list[threading.Thread] = []

    def submit(self, request: Request, log: Log) -> Ticket:
        self.threads.append(threading.current_thread())
        return super().submit(request, log)


@pytest.mark.parametrize(("length", "beside"), [(LONG_PROMPT - 1, False), (LONG_PROMPT, True)])
def test_a_long_prompt_is_encoded_beside_the_event_loop(length: int, beside: bool) -> None:
    engine = ThreadRecordingEngine()
    app = open_api(engine)
    messages = [{"role": "user", "content": "x" * (length - 2 * MESSAGE_COST - 1)}, {"role": "user", "content": "y"}]
    assert post(app, "/generate", inputs="x" * length).status_code == 200
    assert post(app, "/v1/chat/completions", messages=messages).status_code == 200
    assert [thread is not threading.current_thread() for thread in engine.threads] == [beside] * 2


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


def test_a_request_that_is_cancelled_while_its_prompt_is_encoded_stops_the_work() -> None:
    async def story() -> None:
        starting = asyncio.ensure_future(start_runs(engine, "", LONG_PROMPT, lambda: [Request("x" * LONG_PROMPT)]))
        assert await asyncio.to_thread(engine.asked.wait, PATIENCE)
        starting.cancel()
        await asyncio.wait({starting}, timeout=0.01)
        engine.open.set()
        await asyncio.wait({starting}, timeout=PATIENCE)
        assert starting.cancelled()
        assert await asyncio.to_thread(engine.admitted.wait, PATIENCE)

    engine = SlowEngine()
    asyncio.run(story())  # also waits for the threads
    assert engine.ticket().cancelled


def test_a_stream_and_a_whole_reply_ask_the_engine_the_same() -> None:
    engine = AnsweringEngine()
    app = open_api(engine)
    body = {"inputs": "hi", "parameters": {"seed": 3, "top_k": 5, "stop": ["x"]}}
    for path in ("/generate", "/generate_stream", "/"):
        assert ask(app, "POST", path, json=body).status_code == 200
    first, second, third = engine.requests
    assert first == second == third
