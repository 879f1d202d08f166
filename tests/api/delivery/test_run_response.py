"""However a response ends, the work stops; no reader slows another; nothing is lost and nothing hangs."""

from typing import Any

import pytest

from demo.api.delivery import stall_watch, streamed
from demo.engine import Log, Ticket
from demo.errors import EngineFailed, Overloaded
from demo.request import Request
from tests.api.client import MESSAGES, STREAMED, WHOLE
from tests.api.script import TicketEngine, open_api
from tests.api.visit import Visit, begin

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"
BREAK = EngineFailed("Request failed during generation: it broke.")
STREAM = STREAMED[0]
SEVERAL: list[tuple[str, dict[str, Any]]] = [
    (CHAT, {"messages": MESSAGES, "stream": True, "n": 3}),
    (CHAT, {"messages": MESSAGES, "n": 3}),
    ("/v1/completions", {"prompt": ["a", "b"], "stream": True}),
    ("/generate", {"inputs": "hi", "parameters": {"best_of": 2, "do_sample": True}}),
]
streams = pytest.mark.parametrize(("path", "body"), STREAMED)


@pytest.fixture
def short_limits(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Checks often for a stalled client, and soon calls one stalled."""
    monkeypatch.setattr(streamed, "TICK_SECONDS", 0.005)
    monkeypatch.setattr(stall_watch, "STALL_SECONDS", 0.03)
    return monkeypatch


@pytest.mark.parametrize("written", [0, 2])
@pytest.mark.parametrize(("path", "body"), [*STREAMED, *WHOLE, *SEVERAL])
async def test_a_client_that_disconnects_stops_the_work(path: str, body: dict[str, Any], written: int) -> None:
    engine, visit = await begin(path, body)
    is_stream = (path, body) in [*STREAMED, SEVERAL[0], SEVERAL[2]]
    for ticket in engine.tickets[: 1 if is_stream else None] if written else ():
        ticket.start()
        ticket.write(*["a"] * written)
    if is_stream and written:
        await visit.until(lambda: len(visit.writes) == 1)
    visit.leave()
    await visit.until_ended()
    assert engine.tickets
    assert all(ticket.cancelled for ticket in engine.tickets)
    assert len(visit.writes) == (1 if is_stream and written else 0)


async def test_a_client_that_disconnects_after_the_end_cancels_nothing() -> None:
    engine, visit = await begin(*STREAM)
    engine.ticket().start()
    engine.ticket().write_together("a", "b", reason="length")
    await visit.until_ended()
    visit.leave()
    assert not engine.ticket().cancelled
    assert visit.events[-1]["generated_text"] == "ab"


@pytest.mark.usefixtures("short_limits")
@streams
async def test_a_stalled_client_is_cut_off_and_another_is_served(path: str, body: dict[str, Any]) -> None:
    engine, slow = await begin(path, body)
    quick = await Visit(slow.app, path, body).start().until_listening()
    slow.hold()
    for ticket in (engine.ticket(0), engine.ticket(1)):
        ticket.start()
        ticket.write("a")
    await quick.until(lambda: len(quick.writes) == 1)
    await slow.until_ended()
    assert (engine.ticket(0).cancelled, engine.ticket(1).cancelled) == (True, False)
    engine.ticket(1).write_together("b", "c", reason="length")
    await quick.until_ended()
    assert len(quick.events) == 3


@pytest.mark.usefixtures("short_limits")
@pytest.mark.parametrize(("path", "body"), WHOLE)
async def test_a_client_that_does_not_read_its_whole_reply_is_cut_off(path: str, body: dict[str, Any]) -> None:
    engine, visit = await begin(path, body)
    engine.ticket().start()
    engine.ticket().write_together("a", reason="length")
    await visit.until(lambda: visit.status == 200)
    visit.hold()
    await visit.until_ended()


@pytest.mark.parametrize("headers", [True, False], ids=["headers", "comment"])
async def test_a_client_that_reads_nothing_is_cut_off(short_limits: pytest.MonkeyPatch, headers: bool) -> None:
    short_limits.setattr(streamed, "KEEP_ALIVE_SECONDS", 15.0 if headers else 0.01)
    engine, visit = await begin(*STREAM)
    visit.hold(headers)
    if headers:
        engine.ticket().start()
        engine.ticket().write("a")
    await visit.until_ended()
    assert engine.ticket().cancelled


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize(("path", "body"), [STREAM, SEVERAL[0]])
async def test_a_send_that_fails_stops_the_work(path: str, body: dict[str, Any], number: int) -> None:
    engine, visit = await begin(path, body)
    visit.break_at = number
    engine.ticket().start()
    engine.ticket().write("a")
    await visit.until(lambda: len(visit.writes) == 1 or visit.task.done() or number < 3)
    engine.ticket().write("b")
    with pytest.raises(OSError, match="the connection is gone"):
        await visit.until_ended()
    assert all(ticket.cancelled for ticket in engine.tickets)


async def test_a_choice_that_fails_ends_the_others_with_it() -> None:
    engine, visit = await begin(*SEVERAL[0])
    engine.ticket(0).start()
    engine.ticket(0).write("a")
    await visit.until(lambda: len(visit.writes) == 1)
    engine.ticket(1).fail(BREAK)
    await visit.until_ended()
    assert visit.events[-1]["error_type"] == "generation"
    assert [ticket.cancelled for ticket in engine.tickets] == [True, False, True]


class SmallEngine(TicketEngine):
    """Admits one request."""

    def submit(self, request: Request, log: Log) -> Ticket:
        if self.tickets:
            self.refusal = Overloaded("Model is overloaded")
        return super().submit(request, log)


@pytest.mark.parametrize(("path", "body"), SEVERAL)
async def test_several_choices_are_admitted_all_or_none(path: str, body: dict[str, Any]) -> None:
    engine = SmallEngine()
    visit = Visit(open_api(engine), path, body).start()
    await visit.until_ended()
    assert visit.status == 429
    assert [ticket.cancelled for ticket in engine.tickets] == [True]
