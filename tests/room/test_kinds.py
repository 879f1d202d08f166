"""The other kinds of rounds: predicted first, stopped when it goes wrong, and everybody asks at once."""

import csv
import io
import json
from typing import Any

import pytest

from demo.errors import Overloaded
from demo.room import runner
from demo.room.event_stream import write_phone_state
from demo.room.phone import Progress
from demo.room.room import Room
from demo.room.round import Plan
from tests.api.script import TicketEngine
from tests.api.visit import Visit
from tests.room.classroom import Classroom, open_round, open_running

pytestmark = pytest.mark.anyio


async def test_a_prediction_is_asked_for_before_the_run_begins_and_a_guess_after_it() -> None:
    room = await Classroom().open(2)
    round = await room.begin("predict")
    assert (round["phase"], round["arms"]) == ("predicting", None)
    assert isinstance(room.engine, TicketEngine)
    assert room.engine.tickets == []
    phone = room.phones[0]
    assert await phone.answer(felt=1.0) == 409
    assert await phone.answer(first=2.0, last=1.0) == 422
    assert [await phone.answer(first=0.5, last=last) for last in (8.0, 9.0)] == [204, 409]
    await room.teacher.until("answers", lambda answers: (answers["given"], answers["of"]) == (1, 2))
    assert (await room.lead("POST", "advance")).body["phase"] == "running"
    room.ticket().answer_now("one")
    await room.teacher.until("end")
    assert await phone.answer(first=0.5, last=8.0) == 409
    assert await phone.answer(felt=1.0) == 204
    await room.lead("POST", "advance")
    results = await phone.stream.until("results")
    assert results["predictions"] == {"first": [0.5], "last": [8.0]}
    assert results["arms"][phone.arm]["guesses"] == [1.0]


async def test_a_run_that_is_refused_after_the_predictions_leaves_the_round_where_it_is() -> None:
    engine = TicketEngine()
    room = await Classroom(engine).open(1)
    await room.begin("predict")
    engine.refusal = Overloaded("It is full.")
    assert (await room.lead("POST", "advance")).status == 429
    engine.refusal = None
    assert (await room.lead("POST", "advance")).body["phase"] == "running"


async def test_a_phone_that_stops_gets_no_more_and_the_others_go_on() -> None:
    room, ticket = await open_running(2, "stop")
    stopping, reading = room.phones
    await stopping.stream.until("text")
    assert [await stopping.stop(), await stopping.stop()] == [204, 409]
    assert (await stopping.stream.until("stopped"))["tokens"] == 1
    ticket.write("sky ")
    stops = await room.teacher.until("stops", lambda stops: stops["tokens_saved"] == 1)
    assert (stops["stopped"], stops["at_least"]) == (1, False)
    ticket.write_last("is", "length")
    results = await stopping.stream.until("results")
    await reading.stream.until("results")
    assert (stopping.stream.text, reading.stream.text) == ("The ", "The sky is")
    assert (results["stopped"], results["tokens_saved"], results["at_least"]) == (1, 2, False)
    assert 0 < results["seconds_saved"] < results["seconds"]
    state = await stopping.come_back().until("state")
    assert (state["text"], state["tokens"], state["stopped"]) == ("The ", 1, True)


def test_a_phone_that_lags_has_when_it_comes_back_what_it_had_when_it_stopped() -> None:
    room = Room("CODE42", "en", "teacher")
    phone = room.join("network")
    with room.attach(phone):
        room.begin_round(Plan("stop", "hi", recorded=False, max_new_tokens=8))
        room.add_text("The ", 1, 0.1, is_last=False)
        phone.received = Progress(1, len("The "))
        room.add_text("sky ", 2, 0.2, is_last=False)  # still on its way
        room.stop_phone(phone, 1, 0.2)
        state = write_phone_state(room, phone)
    assert (state["text"], state["tokens"], state["stopped"]) == ("The ", 1, True)


async def test_when_all_have_stopped_the_run_is_cancelled() -> None:
    room, ticket = await open_running(2, "stop")
    for phone in room.phones:
        await phone.stream.until("text")
    assert await room.phones[0].stop() == 204
    assert not ticket.cancelled
    assert await room.phones[1].stop() == 204
    assert ticket.cancelled
    results = await room.teacher.until("results")
    assert (results["finish"], results["at_least"], results["stopped"]) == ("cancelled", True, 2)


async def test_nothing_is_stopped_in_a_race() -> None:
    room = await open_round(1, "race")
    assert await room.phones[0].stop() == 409


async def read(visit: Visit) -> tuple[int | None, Any]:
    """The status of a phone's request, and the error or the events of its whole reply."""
    await visit.until_ended()
    return visit.status, visit.events if visit.status == 200 else json.loads(visit.body)


async def test_phones_ask_for_themselves_and_are_refused_beyond_the_limit_until_a_place_is_free() -> None:
    room = await Classroom().open(2, authorization="Bearer teacher")
    round = await room.begin("crowd", limit=1)
    assert (round["limit"], round["arms"], room.phones[0].arm) == (1, None, "None")
    first, second = (phone.request() for phone in room.phones)
    status, error = await read(second)
    assert (status, error["error_type"]) == (429, "overloaded")
    assert "retry-after" in second.headers
    room.ticket(0).answer_now("one ", "two")
    status, events = await read(first)
    assert (status, "".join(event["token"]["text"] for event in events)) == (200, "one two")
    again = room.phones[1].request()
    await again.until_listening()
    room.ticket(1).answer_now("three")
    await read(again)
    results = await room.teacher.until("results")
    assert (results["served"], results["refused"], results["retries"]) == (2, 1, 1)
    told = [(event["phone"], event["event"]) for event in room.teacher.pick("request")]
    assert sorted(told) == sorted(
        [
            *((1, event) for event in ("sent", "first_token", "ended")),
            *((2, event) for event in ("sent", "refused", "retry", "first_token", "ended")),
        ]
    )
    refused = next(event for event in room.teacher.pick("request") if event["event"] == "refused")
    assert refused["status"] == 429
    rows = list(csv.DictReader(io.StringIO((await room.lead("GET", "results.csv")).content.decode())))
    assert [(row["phone"], row["requests"], row["refusals"]) for row in rows] == [("1", "1", "0"), ("2", "2", "1")]
    assert all(0 < float(row["first_token_at"]) < float(row["served_at"]) for row in rows)


async def test_all_of_them_are_one_client_the_teacher() -> None:
    room = await open_round(3, "crowd")
    for phone in room.phones:
        await phone.request().until_listening()
    assert isinstance(room.engine, TicketEngine)
    assert len({ticket.request.client for ticket in room.engine.tickets}) == 1
    assert len(room.engine.tickets) == 3
    assert all(not ticket.request.cache_prompt for ticket in room.engine.tickets)


async def test_a_phone_asks_once_at_a_time_and_is_answered_once() -> None:
    room = await open_round(2, "crowd")
    request = await room.phones[0].request().until_listening()
    assert (await read(room.phones[0].request()))[0] == 409
    room.ticket().answer_now("one")
    await read(request)
    assert (await read(room.phones[0].request()))[0] == 409


async def test_a_phone_that_goes_away_frees_its_place_and_may_ask_again() -> None:
    room = await open_round(1, "crowd")
    request = await room.phones[0].request().until_listening()
    await request.hang_up()
    assert room.ticket().cancelled
    assert (await room.teacher.until("request", lambda event: event["event"] == "ended"))["left"]
    assert await room.phones[0].request().until_listening()


async def test_the_teacher_ends_it_and_what_is_being_answered_stops() -> None:
    room = await open_round(1, "crowd")
    await room.phones[0].request().until_listening()
    assert (await room.lead("POST", "advance")).status == 202
    assert (await room.teacher.until("results"))["served"] == 0
    assert room.ticket().cancelled
    assert (await read(room.phones[0].request()))[0] == 409


async def test_it_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "MAX_SECONDS", 0.0)
    room = await open_round(1, "crowd")
    assert (await room.teacher.until("results"))["served"] == 0
