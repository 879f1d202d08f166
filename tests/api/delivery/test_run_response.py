"""However a response ends, the work stops; no reader slows another, nothing is lost; when tokens share a write."""

from typing import Any

import pytest

from demo.api.delivery import client_tasks, merge, streamed
from tests.api.client import CHAT, COMPLETIONS, MESSAGES, STREAMED, WHOLE
from tests.api.script import BREAK
from tests.api.visit import Visit, begin

pytestmark = pytest.mark.anyio

STREAM = STREAMED[0]
SEVERAL: list[tuple[str, dict[str, Any]]] = [
    (CHAT, {"messages": MESSAGES, "stream": True, "n": 3}),
    (CHAT, {"messages": MESSAGES, "n": 3}),
    (COMPLETIONS, {"prompt": ["a", "b"], "stream": True}),
    ("/generate", {"inputs": "hi", "parameters": {"best_of": 2, "do_sample": True}}),
]
streams = pytest.mark.parametrize(("path", "body"), STREAMED)


@pytest.fixture
def short_limits(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Checks often for a stalled client, and soon calls one stalled."""
    monkeypatch.setattr(streamed, "TICK_SECONDS", 0.005)
    monkeypatch.setattr(client_tasks, "STALL_SECONDS", 0.03)
    return monkeypatch


@pytest.mark.parametrize("written", [0, 2])
@pytest.mark.parametrize(("path", "body"), [*STREAMED, *WHOLE, *SEVERAL])
async def test_a_client_that_disconnects_stops_the_work(path: str, body: dict[str, Any], written: int) -> None:
    engine, visit = await begin(path, body)
    is_stream = (path, body) in [*STREAMED, SEVERAL[0], SEVERAL[2]]
    for ticket in engine.tickets[: 1 if is_stream else None] if written else ():
        ticket.start_with(*["a"] * written)
    if is_stream and written:
        await visit.until(lambda: len(visit.writes) == 1)
    await visit.hang_up()
    assert engine.tickets
    assert all(ticket.cancelled for ticket in engine.tickets)
    assert len(visit.writes) == (1 if is_stream and written else 0)


async def test_a_client_that_disconnects_after_the_end_cancels_nothing() -> None:
    engine, visit = await begin(*STREAM)
    engine.ticket().answer_now("a", "b")
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
    for ticket in engine.tickets:
        ticket.start_with("a")
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
    engine.ticket().answer_now("a")
    await visit.until(lambda: visit.status == 200)
    visit.hold()
    await visit.until_ended()


@pytest.mark.parametrize("headers", [True, False], ids=["headers", "comment"])
async def test_a_client_that_reads_nothing_is_cut_off(short_limits: pytest.MonkeyPatch, headers: bool) -> None:
    short_limits.setattr(streamed, "KEEP_ALIVE_SECONDS", 15.0 if headers else 0.01)
    engine, visit = await begin(*STREAM)
    visit.hold(headers)
    if headers:
        engine.ticket().start_with("a")
    await visit.until_ended()
    assert engine.ticket().cancelled


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize(("path", "body"), [STREAM, SEVERAL[0]])
async def test_a_send_that_fails_stops_the_work(path: str, body: dict[str, Any], number: int) -> None:
    engine, visit = await begin(path, body)
    visit.break_at = number
    engine.ticket().start_with("a")
    await visit.until(lambda: len(visit.writes) == 1 or visit.task.done() or number < 3)
    engine.ticket().write("b")
    with pytest.raises(OSError, match="the connection is gone"):
        await visit.until_ended()
    assert all(ticket.cancelled for ticket in engine.tickets)


async def test_a_choice_that_fails_ends_the_others_with_it() -> None:
    engine, visit = await begin(*SEVERAL[0])
    engine.ticket(0).start_with("a")
    await visit.until(lambda: len(visit.writes) == 1)
    engine.ticket(1).fail(BREAK)
    await visit.until_ended()
    assert visit.events[-1]["error_type"] == "generation"
    assert [ticket.cancelled for ticket in engine.tickets] == [True, False, True]


@pytest.fixture
def coalesces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls any two tokens fast."""
    monkeypatch.setattr(merge, "COALESCE_SECONDS", 1e6)


async def test_a_slow_reader_gets_every_token_in_fewer_writes() -> None:
    engine, visit = await begin(*STREAM)
    engine.ticket().start_with("0")
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


async def test_tokens_that_are_ready_together_are_one_write_of_separate_events() -> None:
    engine, visit = await begin(*STREAM)
    engine.ticket().start()
    engine.ticket().write_together("a", "", "b")
    await visit.until(lambda: len(visit.writes) == 1)
    assert visit.writes[0].count(b"data: ") == visit.writes[0].count(b"\n\n") == 3
    await visit.hang_up()


@pytest.mark.usefixtures("coalesces")
@streams
async def test_fast_tokens_share_a_write_and_the_first_two_and_the_end_do_not_wait(
    path: str, body: dict[str, Any]
) -> None:
    engine, visit = await begin(path, body)
    engine.ticket().start()
    for number in range(2):  # before the second no rate is known
        engine.ticket().write(f"{number} ")
        await visit.until(lambda expected=number + 1: len(visit.writes) == expected)  # type: ignore[misc]
    for number in range(2, 9):
        engine.ticket().write(f"{number} ")
    engine.ticket().write_together("end", reason="length")
    await visit.until_ended()
    assert [write.count(b"\n\ndata: {") for write in visit.writes[:3]] == [0, 0, 7]


@pytest.mark.parametrize(("gap", "window"), [(0.001, 0.01), (1e6, 1e6)], ids=["coalesced", "slower"])
async def test_no_token_waits_longer_than_the_window(
    monkeypatch: pytest.MonkeyPatch, gap: float, window: float
) -> None:
    monkeypatch.setattr(merge, "COALESCE_SECONDS", window)
    engine, visit = await begin(*STREAM)
    engine.ticket().start()
    for number in range(9):
        engine.ticket().write(f"{number} ", at=gap * number)
        await visit.until(lambda expected=number + 1: len(visit.events) == expected)  # type: ignore[misc]
    await visit.hang_up()
    assert [write.count(b"data: ") for write in visit.writes] == [1] * 9


@pytest.mark.usefixtures("keeps_alive")
@streams
async def test_a_silent_stream_is_kept_alive_by_comments_after_its_headers(path: str, body: dict[str, Any]) -> None:
    engine, visit = await begin(path, body)
    await visit.until(lambda: len(visit.writes) >= 2)
    assert visit.status == 200
    assert visit.writes[:2] == [b": keep-alive\n\n"] * 2
    engine.ticket().answer_now("a", "b")
    await visit.until_ended()
    assert len(visit.events) == 2


@pytest.mark.usefixtures("keeps_alive")
async def test_a_failure_after_a_comment_is_an_event() -> None:
    engine, visit = await begin(*STREAM)
    await visit.until(lambda: len(visit.writes) >= 1)
    engine.ticket().fail(BREAK)
    await visit.until_ended()
    assert visit.events == [{"error": str(BREAK), "error_type": "generation"}]
