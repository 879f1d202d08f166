"""A stream's writes: when tokens share one, and what is sent while there are none."""

from typing import Any

import pytest

from demo.api.delivery import merge, streamed
from demo.errors import EngineFailed
from tests.api.client import STREAMED
from tests.api.visit import begin

pytestmark = pytest.mark.anyio
streams = pytest.mark.parametrize(("path", "body"), STREAMED)
STREAM = STREAMED[0]


@pytest.fixture
def keeps_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """Soon sends a comment."""
    monkeypatch.setattr(streamed, "TICK_SECONDS", 0.005)
    monkeypatch.setattr(streamed, "KEEP_ALIVE_SECONDS", 0.01)


@pytest.fixture
def coalesces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls any two tokens fast."""
    monkeypatch.setattr(merge, "COALESCE_SECONDS", 1e6)


async def test_a_slow_reader_gets_every_token_in_fewer_writes() -> None:
    engine, visit = await begin(*STREAM)
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


async def test_tokens_that_are_ready_together_are_one_write_of_separate_events() -> None:
    engine, visit = await begin(*STREAM)
    engine.ticket().start()
    engine.ticket().write_together("a", "", "b")
    await visit.until(lambda: len(visit.writes) == 1)
    assert visit.writes[0].count(b"data: ") == visit.writes[0].count(b"\n\n") == 3
    visit.leave()
    await visit.until_ended()


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
        engine.ticket().write_at(gap * number, f"{number} ")
        await visit.until(lambda expected=number + 1: len(visit.events) == expected)  # type: ignore[misc]
    visit.leave()
    await visit.until_ended()
    assert [write.count(b"data: ") for write in visit.writes] == [1] * 9


@pytest.mark.usefixtures("keeps_alive")
@streams
async def test_a_silent_stream_is_kept_alive_by_comments_after_its_headers(path: str, body: dict[str, Any]) -> None:
    engine, visit = await begin(path, body)
    await visit.until(lambda: len(visit.writes) >= 2)
    assert visit.status == 200
    assert visit.writes[:2] == [b": keep-alive\n\n"] * 2
    engine.ticket().start()
    engine.ticket().write_together("a", "b", reason="length")
    await visit.until_ended()
    assert len(visit.events) == 2


@pytest.mark.usefixtures("keeps_alive")
async def test_a_failure_after_a_comment_is_an_event() -> None:
    engine, visit = await begin(*STREAM)
    await visit.until(lambda: len(visit.writes) >= 1)
    engine.ticket().fail(EngineFailed("Request failed during generation: it broke."))
    await visit.until_ended()
    assert visit.events == [{"error": "Request failed during generation: it broke.", "error_type": "generation"}]
