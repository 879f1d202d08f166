"""A phone that loses its line: nothing is lost and nothing comes twice. Who is there, and who is not."""

from collections.abc import Callable
from typing import Any

import pytest

from demo.api.delivery import client_tasks
from tests.room.classroom import Classroom, open_round, open_running

pytestmark = pytest.mark.anyio


async def test_a_phone_that_loses_its_line_in_mid_round_goes_on_after_its_last_event() -> None:
    room, ticket = await open_running(1, "race", arms="streamed")
    (phone,) = room.phones
    await phone.stream.until("text")
    before, last_seen = phone.stream, await phone.stream.leave()
    ticket.write("sky ")
    await room.teacher.until("text", lambda text: text["tokens"] == 2)
    after = phone.come_back(last_seen)
    ticket.write_last("is blue", "length")
    await after.until("round", lambda round: round["phase"] == "guessing")
    ids = [event.id or 0 for event in (*before.events, *after.events)]
    assert ids == sorted(set(ids))
    assert after.pick("state") == []
    assert before.text + after.text == "The sky is blue"
    assert await phone.answer(felt=2.0) == 204


@pytest.mark.parametrize("arm", ["streamed", "whole"])
async def test_a_phone_that_is_reloaded_has_the_state_and_then_the_rest(arm: str) -> None:
    room, ticket = await open_running(1, "race", arms=arm)
    (phone,) = room.phones
    await room.teacher.until("text")
    await phone.stream.leave()
    state = await phone.come_back().until("state")
    assert (state["arm"], state["text"], state["ended"]) == (arm, "The " if arm == "streamed" else "", False)
    ticket.write_last("sky", "length")
    await phone.stream.until("end")
    assert phone.stream.text == "The sky"
    assert (await phone.come_back().until("state", lambda state: state["asked"] == "felt"))["text"] == "The sky"


async def test_an_event_of_an_earlier_round_is_too_old_to_go_on_from() -> None:
    room = await Classroom().open(1)
    (phone,) = room.phones
    last_seen = await phone.stream.leave()
    for _ in range(3):
        reply = await room.lead("POST", "rounds", {"kind": "race"})
        room.number = reply.body["number"]
        room.ticket().answer_now("one")
        await room.teacher.until("end", lambda end: end["round"] == room.number)
        await room.lead("POST", "advance")
    state = await phone.come_back(last_seen).until("state")
    assert (state["round"]["number"], state["round"]["phase"]) == (3, "ended")
    assert state["results"]["round"] == 3


async def test_a_number_that_no_event_has_is_answered_with_the_state() -> None:
    room = await Classroom().open(1)
    assert await room.phones[0].come_back(999).until("state")


async def test_the_teacher_comes_back_with_the_key_after_a_reload() -> None:
    room = await open_round(2, "race", arms="streamed")
    room.ticket().start()
    room.ticket().write("The ")
    last_seen = max(event.id or 0 for event in room.teacher.events)
    await room.teacher.until("text")
    found = (await room.lead("GET")).body
    assert {**found, "expires_in": 0} == {**room.room, "expires_in": 0}
    reloaded = await room.follow()
    (state,) = reloaded.pick("state")
    assert (state["text"], state["tokens"], state["present"]) == ("The ", 1, 2)
    resumed = await room.follow(last_seen)
    assert resumed.pick("state") == []
    assert resumed.pick("text")[0]["text"] == "The "


async def test_a_phone_that_leaves_is_noticed() -> None:
    room = await Classroom().open(2)
    await room.teacher.until("phones", lambda phones: phones["present"] == 2)
    await room.phones[0].stream.leave()
    await room.teacher.until("phones", lambda phones: [phone["present"] for phone in phones["phones"]] == [False, True])


def has_tokens(count: int) -> Callable[[Any], bool]:
    """Whether an event is of so many tokens."""
    return lambda text: bool(text["tokens"] == count)


async def test_a_phone_that_does_not_read_holds_up_nobody() -> None:
    room = await open_round(2, "race", arms="streamed")
    slow, quick = room.phones
    slow.stream.visit.hold()
    room.ticket().start()
    for number, word in enumerate(("a ", "b ", "c "), 1):
        room.ticket().write(word)
        await room.teacher.until("text", has_tokens(number))
        await quick.stream.until("text", has_tokens(number))
    slow.stream.visit.release()
    room.ticket().write_last("d", "length")
    await slow.stream.until("end")
    assert slow.stream.text == quick.stream.text == "a b c d"


async def test_a_phone_that_reads_nothing_for_long_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_tasks, "STALL_SECONDS", 0.03)
    room = await open_round(2, "race", arms="streamed")
    stalled, reading = room.phones
    stalled.stream.visit.hold()
    room.ticket().start()
    room.ticket().write("a ")
    await stalled.stream.visit.until_ended()
    await room.teacher.until("phones", lambda phones: [phone["present"] for phone in phones["phones"]] == [False, True])
    room.ticket().write_last("b", "length")
    await reading.stream.until("end")
    assert reading.stream.text == "a b"


async def test_an_events_bytes_are_written_once_for_all() -> None:
    room = await open_round(4, "race", arms="streamed")
    room.ticket().answer_now("one")
    for phone in room.phones:
        await phone.stream.until("end")
    written = [[body for body in phone.stream.visit.writes if b"event: text" in body] for phone in room.phones]
    assert len({bytes(b"".join(bodies)) for bodies in written}) == 1


async def test_a_room_that_closes_tells_everybody_and_ends_their_streams_and_its_run() -> None:
    room = await open_round(2, "race")
    assert (await room.lead("DELETE")).status == 204
    for stream in (room.teacher, *(phone.stream for phone in room.phones)):
        assert await stream.until("closed") == {"why": "teacher"}
        await stream.visit.until_ended()
    assert room.ticket().cancelled
    assert (await room.ask("POST", f"{room.path}/phones")).status == 404
    assert (await room.ask("GET", f"{room.phones[0].path}/events")).status == 404
