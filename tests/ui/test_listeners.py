"""What listeners show beside an answer: larger models, a link's origin, a quota's refusal, a button that reloads."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import gradio as gr
import pytest

from demo.access import Access
from demo.engine import Broken, Engine, Loading, Log, Ready, Status, Ticket
from demo.engines.replay import read_recordings
from demo.errors import DemoError, EngineFailed, Overloaded
from demo.request import Request
from demo.trace import Trace, write_fragment
from demo.ui.components.layout import Layout
from demo.ui.listeners.lesson import LessonListeners
from demo.ui.listeners.race import REPLAYED, RaceListeners
from demo.ui.page import QUICK, choose_first_step
from demo.ui.session import Session, Sessions
from demo.ui.view.larger import PARAMETERS, UNREACHABLE, describe_offer, has_offer
from demo.ui.view.turn import Question
from demo.ui.view.words import FROM_LINK
from tests.scripted import CARD, ScriptedEngine, ScriptedTicket
from tests.traces import make_trace

pytestmark = pytest.mark.anyio
FORGED: Trace = make_trace(["The bank ", "asks for ", "your PIN."], "Hello")
QUOTA = "Your GPU time is used up (18 s are needed, 3 s are left): try again in 3:20:11."
ERROR = EngineFailed("The hub can't be reached.")
FAILED = Broken(ERROR, 1e9)
OPEN = Access(None, None)


@pytest.fixture
async def page() -> Layout:
    # In an event loop, since Gradio would make one, and never close it.
    with gr.Blocks():
        return Layout()


def make_request(address: str = "192.0.2.7") -> gr.Request:
    return gr.Request(session_hash="tab", client=SimpleNamespace(host=address), headers={})


def list_controls(page: Layout) -> list[str | float | None]:
    return [control.value for control in page.controls.values()]


async def offer(page: Layout, reaches_hub: Callable[[], bool]) -> str:
    listeners = RaceListeners(ScriptedEngine(Ready(CARD)), page, Sessions(), reaches_hub=reaches_hub)
    return str((await listeners.offer_larger(make_request()))[page.message]["text"])


async def test_larger_models_are_named_with_their_memory_where_the_hub_can_be_reached(page: Layout) -> None:
    told = await offer(page, lambda: True)
    assert all(f"--model-id {name} (about " in told for name in PARAMETERS)
    assert await offer(page, lambda: False) == UNREACHABLE


def test_only_the_embedded_model_has_an_offer_and_a_gpu_holds_more_bytes_of_it() -> None:
    assert [has_offer(replace(CARD, source=source)) for source in ("embedded", "hub", "gguf")] == [True, False, False]
    assert "Qwen/Qwen3-0.6B (about 1.1 GB" in describe_offer(replace(CARD, device="cpu"))
    assert "Qwen/Qwen3-0.6B (about 1.7 GB" in describe_offer(replace(CARD, device="cuda"))


async def test_a_run_from_a_link_is_labelled_as_such_also_when_it_is_played_again(
    page: Layout, engine: ScriptedEngine
) -> None:
    sessions, request = Sessions(), make_request()
    session = sessions.of(request)
    opened = await LessonListeners(engine, page, sessions).open_link(request, f"trace={write_fragment(FORGED)}")
    assert "it was not made by this server" in opened[page.message]["text"]
    assert session.race is not None
    assert session.race.label == FROM_LINK
    async for _ in session.race.stream():
        pass
    async for _ in session.race.report_progress():
        pass
    await session.race.wait()
    await RaceListeners(engine, page, sessions).retry(request, ["", False, *list_controls(page)])
    assert session.race.label.startswith(FROM_LINK)
    assert engine.tickets == []


class CountingEngine(ScriptedEngine):
    """Admits every request, and ends it at once with `error`, or starts it."""

    def __init__(self, error: DemoError | None) -> None:
        super().__init__(Ready(replace(CARD, costs_quota=True)))
        self._error = error

    def submit(self, request: Request, log: Log) -> Ticket:
        ticket = super().submit(request, log)
        assert isinstance(ticket, ScriptedTicket)
        if self._error is None:
            ticket.start()
        else:
            ticket.fail(self._error)
        return ticket


async def generate(page: Layout, engine: Engine) -> tuple[Session, str]:
    """A session after a click on Generate, and what the page says."""
    session = Session()
    listeners = RaceListeners(engine, page, Sessions(), read_recordings())
    updates = await listeners._start(session, Question("Hello"), list_controls(page), None)
    return session, str(updates[page.message])


async def test_a_quota_refusal_has_a_recorded_run_in_its_place_and_says_why(page: Layout) -> None:
    session, message = await generate(page, CountingEngine(Overloaded(QUOTA)))
    assert session.question.kind == "recording"
    assert QUOTA in message
    assert REPLAYED in message


@pytest.mark.parametrize("error", [None, EngineFailed("The GPU's answer has no end: try again.")])
async def test_a_run_that_began_or_broke_is_shown_as_it_is(page: Layout, error: DemoError | None) -> None:
    session, message = await generate(page, CountingEngine(error))
    assert session.question.text == "Hello"
    assert REPLAYED not in message


def test_generate_goes_through_the_queue_where_only_that_brings_the_visitors_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert choose_first_step() == QUICK
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    assert choose_first_step().get("queue", True)


async def is_reload_shown(page: Layout, status: Status, access: Access | None, address: str) -> bool:
    listeners = RaceListeners(ScriptedEngine(status), page, Sessions(), (), access)
    watching = listeners.watch_model(make_request(address))
    line = (await anext(watching))[page.model]
    await watching.aclose()  # type: ignore[attr-defined]  # it is a generator
    return bool(line["reload"])


async def test_the_button_that_loads_the_model_is_shown_while_a_failed_one_waits(page: Layout) -> None:
    assert await is_reload_shown(page, FAILED, OPEN, "127.0.0.1")
    for status in (Ready(CARD), Loading("starting", failure=ERROR), Broken(ERROR)):
        assert not await is_reload_shown(page, status, OPEN, "127.0.0.1")


@pytest.mark.parametrize("access", [OPEN, Access("key", None), Access("key", "other"), None])
async def test_it_is_not_shown_to_other_visitors(page: Layout, access: Access | None) -> None:
    assert not await is_reload_shown(page, FAILED, access, "192.0.2.7")
    assert access == OPEN or not await is_reload_shown(page, FAILED, access, "127.0.0.1")


async def test_it_is_shown_to_those_who_gave_the_key(page: Layout) -> None:
    assert await is_reload_shown(page, FAILED, Access("key", "key"), "192.0.2.7")
