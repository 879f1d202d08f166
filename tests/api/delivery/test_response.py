"""However a response ends, the work stops; nobody paces anybody; nothing is lost and nothing hangs."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from demo.api.delivery import merge, run_response, streamed
from demo.errors import EngineFailed, Overloaded
from demo.events import Log, Request, Ticket
from tests.api.client import MESSAGES, STREAMED, WHOLE
from tests.api.script import TicketEngine, open_api
from tests.api.visit import Visit

CHAT = "/v1/chat/completions"
SEVERAL: list[tuple[str, dict[str, Any]]] = [
    (CHAT, {"messages": MESSAGES, "stream": True, "n": 3}),
    (CHAT, {"messages": MESSAGES, "n": 3}),
    ("/v1/completions", {"prompt": ["a", "b"], "stream": True}),
    ("/generate", {"inputs": "hi", "parameters": {"best_of": 2, "do_sample": True}}),
]


def run(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(story())


@pytest.fixture
def haste(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Looks often."""
    monkeypatch.setattr(run_response, "TICK_SECONDS", 0.005)
    return monkeypatch


@pytest.mark.parametrize(("path", "body"), [*STREAMED, *WHOLE, *SEVERAL])
def test_a_client_that_leaves_before_the_first_token_stops_the_work(path: str, body: dict[str, Any]) -> None:
    async def story() -> None:
        engine = TicketEngine()
        visit = await Visit(open_api(engine), path, body).start().until_listening()
        visit.leave()
        await visit.until_ended()
        assert engine.tickets
        assert all(ticket.cancelled for ticket in engine.tickets)
        assert not visit.sent

    run(story)


@pytest.mark.parametrize(("path", "body"), [*STREAMED, SEVERAL[0], SEVERAL[2]])
def test_a_client_that_leaves_in_the_middle_stops_the_work(path: str, body: dict[str, Any]) -> None:
    async def story() -> None:
        engine = TicketEngine()
        visit = await Visit(open_api(engine), path, body).start().until_listening()
        engine.ticket().start()
        engine.ticket().write("a")
        await visit.until(lambda: len(visit.writes) == 1)
        visit.leave()
        await visit.until_ended()
        assert all(ticket.cancelled for ticket in engine.tickets)
        assert len(visit.writes) == 1

    run(story)


@pytest.mark.parametrize(("path", "body"), [*WHOLE, SEVERAL[1], SEVERAL[3]])
def test_a_client_that_leaves_while_it_waits_for_all_of_it_stops_the_work(path: str, body: dict[str, Any]) -> None:
    async def story() -> None:
        engine = TicketEngine()
        visit = await Visit(open_api(engine), path, body).start().until_listening()
        for ticket in engine.tickets:
            ticket.start()
            ticket.write("a", "b")
        visit.leave()
        await visit.until_ended()
        assert all(ticket.cancelled for ticket in engine.tickets)
        assert not visit.sent

    run(story)


def test_a_client_that_leaves_after_the_end_cancels_nothing() -> None:
    async def story() -> None:
        engine = TicketEngine()
        visit = await Visit(open_api(engine), *STREAMED[0]).start().until_listening()
        engine.ticket().start()
        engine.ticket().write_together("a", "b", reason="length")
        await visit.until_ended()
        visit.leave()
        assert not engine.ticket().cancelled
        assert visit.events[-1]["generated_text"] == "ab"

    run(story)


@pytest.mark.parametrize(("path", "body"), STREAMED)
def test_a_reader_that_reads_nothing_is_cut_off_and_another_goes_on(
    haste: pytest.MonkeyPatch, path: str, body: dict[str, Any]
) -> None:
    haste.setattr(run_response, "STALL_SECONDS", 0.03)

    async def story() -> None:
        engine = TicketEngine()
        app = open_api(engine)
        slow = await Visit(app, path, body).start().until_listening()
        quick = await Visit(app, path, body).start().until_listening()
        slow.hold()
        for ticket in (engine.ticket(0), engine.ticket(1)):
            ticket.start()
            ticket.write("a")
        await quick.until(lambda: len(quick.writes) == 1)
        await slow.until_ended()
        assert engine.ticket(0).cancelled
        assert not engine.ticket(1).cancelled
        engine.ticket(1).write_together("b", "c", reason="length")
        await quick.until_ended()
        assert len(quick.events) == 3

    run(story)


@pytest.mark.parametrize(("path", "body"), WHOLE)
def test_a_reader_that_does_not_read_its_whole_reply_is_cut_off(
    haste: pytest.MonkeyPatch, path: str, body: dict[str, Any]
) -> None:
    haste.setattr(run_response, "STALL_SECONDS", 0.03)

    async def story() -> None:
        engine = TicketEngine()
        visit = await Visit(open_api(engine), path, body).start().until_listening()
        engine.ticket().start()
        engine.ticket().write_together("a", reason="length")
        await visit.until(lambda: visit.status == 200)
        visit.hold()
        await visit.until_ended()

    run(story)


def test_a_reader_that_does_not_even_read_the_headers_is_cut_off(haste: pytest.MonkeyPatch) -> None:
    haste.setattr(run_response, "STALL_SECONDS", 0.03)

    async def story() -> None:
        engine = TicketEngine()
        visit = await Visit(open_api(engine), *STREAMED[0]).start().until_listening()
        visit.hold(headers=True)
        engine.ticket().start()
        engine.ticket().write("a")
        await visit.until_ended()
        assert engine.ticket().cancelled

    run(story)


def test_a_reader_that_goes_on_reading_slowly_gets_every_token_in_fewer_writes() -> None:
    async def story() -> None:
        engine = TicketEngine()
        visit = await Visit(open_api(engine), *STREAMED[0]).start().until_listening()
        engine.ticket().start()
        engine.ticket().write("0")
        await visit.until(lambda: len(visit.writes) == 1)
        visit.hold()
        engine.ticket().write("1")
        await visit.until(lambda: len(visit.writes) == 2)
        for number in range(2, 100):
            engine.ticket().write(f" {number}")
        engine.ticket().write_together("end", reason="eos_token")
        visit.release()
        await visit.until_ended()
        assert [event["index"] for event in visit.events] == list(range(1, 102))
        assert "".join(event["token"]["text"] for event in visit.events) == visit.events[-1]["generated_text"]
        assert len(visit.writes) == 4  # one at a time, one at a time, all that waited, the end

    run(story)


def test_tokens_that_are_ready_together_are_one_write_of_separate_events() -> None:
    async def story() -> None:
        engine = TicketEngine()
        visit = await Visit(open_api(engine), *STREAMED[0]).start().until_listening()
        engine.ticket().start()
        engine.ticket().write_together("a", "", "b")
        await visit.until(lambda: len(visit.writes) == 1)
        assert visit.writes[0].count(b"data: ") == visit.writes[0].count(b"\n\n") == 3
        visit.leave()
        await visit.until_ended()

    run(story)


@pytest.mark.parametrize(("path", "body"), STREAMED)
def test_tokens_of_a_fast_stream_share_a_write_and_the_first_two_and_the_end_do_not_wait(
    monkeypatch: pytest.MonkeyPatch, path: str, body: dict[str, Any]
) -> None:
    monkeypatch.setattr(merge, "COALESCE_SECONDS", 1e6)

    async def story() -> None:
        engine = TicketEngine()
        visit = await Visit(open_api(engine), path, body).start().until_listening()
        engine.ticket().start()
        for number in range(2):  # before the second no pace is known
            engine.ticket().write(f"{number} ")
            await visit.until(lambda expected=number + 1: len(visit.writes) == expected)  # type: ignore[misc]
        for number in range(2, 9):
            engine.ticket().write(f"{number} ")
        engine.ticket().write_together("end", reason="length")
        await visit.until_ended()
        assert [write.count(b"\n\ndata: {") for write in visit.writes[:3]] == [0, 0, 7]

    run(story)


def test_a_token_of_a_fast_stream_waits_no_longer_than_said() -> None:
    async def story() -> None:
        engine = TicketEngine()
        visit = await Visit(open_api(engine), *STREAMED[0]).start().until_listening()
        engine.ticket().start()
        for number in range(9):
            engine.ticket().write_at(0.001 * number, f"{number} ")
            await visit.until(lambda expected=number + 1: len(visit.events) == expected)  # type: ignore[misc]
        visit.leave()
        await visit.until_ended()

    run(story)


def test_a_stream_slower_than_that_has_a_write_for_each_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge, "COALESCE_SECONDS", 1e6)

    async def story() -> None:
        engine = TicketEngine()
        visit = await Visit(open_api(engine), *STREAMED[0]).start().until_listening()
        engine.ticket().start()
        for number in range(4):
            engine.ticket().write_at(1e6 * number, f"{number} ")
            await visit.until(lambda expected=number + 1: len(visit.writes) == expected)  # type: ignore[misc]
        visit.leave()
        await visit.until_ended()
        assert [write.count(b"data: ") for write in visit.writes] == [1] * 4

    run(story)


@pytest.mark.parametrize(("path", "body"), STREAMED)
def test_a_stream_without_news_is_kept_alive_by_comments_after_its_headers(
    haste: pytest.MonkeyPatch, path: str, body: dict[str, Any]
) -> None:
    haste.setattr(streamed, "KEEP_ALIVE_SECONDS", 0.01)

    async def story() -> None:
        engine = TicketEngine()
        visit = await Visit(open_api(engine), path, body).start().until_listening()
        await visit.until(lambda: len(visit.writes) >= 2)
        assert visit.status == 200
        assert visit.writes[:2] == [b": keep-alive\n\n"] * 2
        engine.ticket().start()
        engine.ticket().write_together("a", "b", reason="length")
        await visit.until_ended()
        assert len(visit.events) == 2

    run(story)


def test_a_failure_after_a_comment_is_an_event(haste: pytest.MonkeyPatch) -> None:
    haste.setattr(streamed, "KEEP_ALIVE_SECONDS", 0.01)

    async def story() -> None:
        engine = TicketEngine()
        visit = await Visit(open_api(engine), *STREAMED[0]).start().until_listening()
        await visit.until(lambda: len(visit.writes) >= 1)
        engine.ticket().fail(EngineFailed("Request failed during generation: it broke."))
        await visit.until_ended()
        assert visit.events == [{"error": "Request failed during generation: it broke.", "error_type": "generation"}]

    run(story)


def test_a_reader_that_does_not_read_a_comment_is_cut_off(haste: pytest.MonkeyPatch) -> None:
    haste.setattr(streamed, "KEEP_ALIVE_SECONDS", 0.01)
    haste.setattr(run_response, "STALL_SECONDS", 0.03)

    async def story() -> None:
        engine = TicketEngine()
        visit = await Visit(open_api(engine), *STREAMED[0]).start().until_listening()
        visit.hold()
        await visit.until_ended()
        assert engine.ticket().cancelled

    run(story)


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize(("path", "body"), [STREAMED[0], SEVERAL[0]])
def test_a_send_that_fails_lets_go_of_the_work(path: str, body: dict[str, Any], number: int) -> None:
    async def story() -> None:
        engine = TicketEngine()
        visit = await Visit(open_api(engine), path, body).start().until_listening()
        visit.break_at = number
        engine.ticket().start()
        engine.ticket().write("a")
        await visit.until(lambda: len(visit.writes) == 1 or visit.task.done() or number < 3)
        engine.ticket().write("b")
        with pytest.raises(OSError, match="the connection is gone"):
            await visit.until_ended()
        assert all(ticket.cancelled for ticket in engine.tickets)

    run(story)


def test_a_choice_that_fails_ends_the_others_with_it() -> None:
    async def story() -> None:
        engine = TicketEngine()
        visit = await Visit(open_api(engine), *SEVERAL[0]).start().until_listening()
        engine.ticket(0).start()
        engine.ticket(0).write("a")
        await visit.until(lambda: len(visit.writes) == 1)
        engine.ticket(1).fail(EngineFailed("Request failed during generation: it broke."))
        await visit.until_ended()
        assert visit.events[-1]["error_type"] == "generation"
        assert [ticket.cancelled for ticket in engine.tickets] == [True, False, True]

    run(story)


class Room(TicketEngine):
    """Has room for one."""

    def submit(self, request: Request, log: Log) -> Ticket:
        if self.tickets:
            self.refusal = Overloaded("Model is overloaded")
        return super().submit(request, log)


@pytest.mark.parametrize(("path", "body"), SEVERAL)
def test_several_choices_are_admitted_all_or_none(path: str, body: dict[str, Any]) -> None:
    async def story() -> None:
        engine = Room()
        visit = Visit(open_api(engine), path, body).start()
        await visit.until_ended()
        assert visit.status == 429
        assert [ticket.cancelled for ticket in engine.tickets] == [True]

    run(story)
