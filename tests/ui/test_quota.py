"""Where a platform counts the visitor's runs: its refusal comes after the click, and a recorded run stands in."""

import asyncio
from dataclasses import replace
from typing import cast

import gradio as gr
import pytest

from demo.engine import Engine, Log, Ready, Ticket
from demo.engines.replay import read_recordings
from demo.errors import DemoError, EngineFailed, Overloaded
from demo.request import Request
from demo.ui.components.layout import Layout
from demo.ui.listeners.race import REPLAYED, RaceListeners
from demo.ui.page import QUICK, choose_first_step
from demo.ui.session import Session, Sessions
from demo.ui.view.turn import Question
from tests.scripted import CARD, ScriptedEngine, ScriptedTicket

QUOTA = "Your GPU time is used up (18 s are needed, 3 s are left): try again in 3:20:11."


class CountingEngine(ScriptedEngine):
    """Admits every request, and ends it at once with `error`, or starts it."""

    def __init__(self, error: DemoError | None) -> None:
        super().__init__(Ready(replace(CARD, costs_quota=True)))
        self._error = error

    def submit(self, request: Request, log: Log) -> Ticket:
        ticket = cast(ScriptedTicket, super().submit(request, log))
        if self._error is None:
            ticket.start()
        else:
            ticket.fail(self._error)
        return ticket


def start(engine: Engine) -> tuple[Session, str]:
    """A session after a click on Generate, and what the page says."""

    async def click() -> tuple[Session, str]:
        with gr.Blocks():
            page = Layout()
        session = Session()
        listeners = RaceListeners(engine, page, Sessions(), read_recordings())
        controls = [control.value for control in page.controls.values()]
        updates = await listeners._start(session, Question("Hello"), controls, None)
        return session, str(updates[page.message])

    return asyncio.run(click())


def test_a_quota_refusal_has_a_recorded_run_in_its_place_and_says_why() -> None:
    session, message = start(CountingEngine(Overloaded(QUOTA)))
    assert session.question.kind == "recording"
    assert QUOTA in message
    assert REPLAYED in message


@pytest.mark.parametrize("error", [None, EngineFailed("The GPU's answer has no end: try again.")])
def test_a_run_that_began_or_broke_is_shown_as_it_is(error: DemoError | None) -> None:
    session, message = start(CountingEngine(error))
    assert session.question.text == "Hello"
    assert REPLAYED not in message


def test_generate_goes_through_the_queue_where_only_that_brings_the_visitors_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert choose_first_step() == QUICK
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    assert choose_first_step().get("queue", True)
