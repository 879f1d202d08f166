"""A long question is encoded beside the event loop: what is asked, stopped or refused meanwhile."""

import asyncio
import threading

import pytest

from demo.engine import Log, Ticket
from demo.errors import BadRequest
from demo.prompt_threads import LONG_PROMPT
from demo.request import Request
from demo.ui.session import Session
from demo.ui.view.options import GenerationOptions
from demo.ui.view.turn import Question
from tests.scripted import ScriptedEngine
from tests.ui.test_session import play, start

pytestmark = pytest.mark.anyio


class SlowEngine(ScriptedEngine):
    """Takes until `open` to admit, and knows in which thread it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.open = threading.Event(), threading.Event()

    def submit(self, request: Request, log: Log) -> Ticket:
        self.thread = threading.current_thread()
        self.asked.set()
        assert self.open.wait(20)
        return super().submit(request, log)


async def begin_slowly(session: Session, engine: SlowEngine) -> "asyncio.Task[None]":
    """A long question, which is being encoded."""
    question = Question("x" * LONG_PROMPT)
    starting = asyncio.ensure_future(session.start(engine, question, GenerationOptions()))
    assert await asyncio.to_thread(engine.asked.wait, 20)
    return starting


async def test_a_long_question_is_encoded_beside_the_event_loop_and_no_other_starts_meanwhile(session: Session) -> None:
    engine = SlowEngine()
    starting = await begin_slowly(session, engine)
    with pytest.raises(BadRequest, match="still being written"):
        await start(session, engine, "Another")
    engine.open.set()
    await starting
    assert engine.thread is not threading.current_thread()
    assert session.racing
    assert len(engine.tickets) == 1


async def test_a_race_that_is_stopped_while_its_question_is_encoded_does_no_work(session: Session) -> None:
    engine = SlowEngine()
    starting = await begin_slowly(session, engine)
    session.stop()
    engine.open.set()
    await starting
    assert engine.tickets[0].cancelled


async def test_a_long_question_that_is_refused_changes_nothing(session: Session, engine: ScriptedEngine) -> None:
    await play(session, engine, "Hello", "Hi")
    engine.refusal = BadRequest("too long")
    before = session.race
    with pytest.raises(BadRequest, match="too long"):
        await session.start(engine, Question("x" * LONG_PROMPT), GenerationOptions(), None)
    assert (session.race, session.question.text, len(session.turns)) == (before, "Hello", 1)
    engine.refusal = None
    await start(session, engine, "Again")
