"""A race in a room: one run, read once, told to all phones; streamed or whole; guessed, and its results."""

import pytest

from demo.engine import Broken, Loading, Status
from demo.engines.replay import read_recordings
from demo.errors import EngineFailed, ModelError, Overloaded
from tests.api.script import TicketEngine
from tests.room.classroom import Classroom, open_round, open_running
from tests.scripted import ScriptedEngine

pytestmark = pytest.mark.anyio


async def test_a_room_costs_one_place_in_the_engine() -> None:
    room = await open_round(6, "race", max_new_tokens=16, tokens_per_second=30)
    assert isinstance(room.engine, TicketEngine)
    (ticket,) = room.engine.tickets
    assert (ticket.request.max_new_tokens, ticket.request.pace) == (16, 30)


async def test_the_arms_are_as_many() -> None:
    room = await Classroom().open(7)
    round = await room.begin("race")
    assert sorted(round["arms"].values()) == [3, 4]
    assert len(room.find_phones("streamed")) == round["arms"]["streamed"]


async def test_the_streamed_arm_has_each_token_and_the_whole_arm_all_of_them_in_one_message() -> None:
    room, ticket = await open_running(4, "race")
    for phone in room.find_phones("streamed"):
        await phone.stream.until("text")
    assert [phone.stream.pick("text") for phone in room.find_phones("whole")] == [[], []]
    ticket.write_together("sky ", "is")
    ticket.write_last(" blue", "length")
    for phone in room.phones:
        await phone.stream.until("end")
        assert phone.stream.text == "The sky is blue"
        assert phone.stream.pick("text")[-1]["tokens"] == 4
    assert {len(phone.stream.pick("text")) for phone in room.find_phones("whole")} == {1}


async def test_how_long_it_took_is_told_when_the_round_has_ended_and_not_before() -> None:
    room = await open_round(2, "race")
    room.ticket().answer_now("one", "two")
    phone = room.phones[0]
    await phone.stream.until("round", lambda round: round["phase"] == "guessing")
    assert phone.stream.pick("end") == [{"round": 1, "finish": "length", "error": None, "seconds": None}]
    assert '"seconds": ' not in phone.stream.visit.body.decode().replace('"seconds":null', "")
    told = await room.teacher.until("end")
    assert [await each.answer(felt=3.5) for each in room.phones] == [204, 204]
    assert (await room.teacher.until("answers", lambda answers: answers["given"] == 2))["of"] == 2
    await room.lead("POST", "advance")
    results = await phone.stream.until("results")
    assert results["seconds"] == told["seconds"] > 0
    assert results["arms"]["streamed"]["guesses"] == [3.5]
    assert (await room.lead("GET", "results")).body == {"results": [results]}


async def test_a_guess_is_taken_once_and_only_while_it_is_asked_for() -> None:
    room = await open_round(2, "race")
    early = await room.phones[0].answer(felt=1.0)
    room.ticket().answer_now("one")
    await room.phones[0].stream.until("round", lambda round: round["phase"] == "guessing")
    given = [await room.phones[0].answer(felt=felt) for felt in (1.0, 2.0)]
    late = await room.join()
    assert (early, given, await late.answer(felt=1.0)) == (409, [204, 409], 409)
    assert [await room.phones[1].answer(), await room.phones[1].answer(felt=-1.0)] == [422, 422]
    await room.lead("POST", "advance")
    assert await room.phones[1].answer(felt=1.0) == 409


async def test_who_joins_in_mid_run_has_an_arm_and_the_text_so_far() -> None:
    room, ticket = await open_running(1, "race", arms="streamed")
    await room.phones[0].stream.until("text")
    late = await room.join()
    (state,) = late.stream.pick("state")
    assert (state["arm"], state["text"], state["tokens"]) == ("streamed", "The ", 1)
    ticket.write_last("sky", "length")
    await late.stream.until("end")
    assert late.stream.text == "The sky"


async def test_two_rounds_do_not_overlap_and_arms_are_drawn_anew() -> None:
    room = await open_round(8, "race")
    assert (await room.lead("POST", "rounds", {"kind": "race"})).status == 409
    drawn = set()
    for _ in range(12):
        room.ticket().answer_now("one")
        await room.teacher.until("end", lambda end: end["round"] == room.number)
        await room.lead("POST", "advance")
        drawn.add(tuple(phone.arm for phone in room.phones))
        await room.begin("race")
    assert len(drawn) > 1


async def test_the_teacher_may_end_a_run() -> None:
    room = await open_round(1, "race")
    room.ticket().start()
    assert (await room.lead("POST", "advance")).status == 202
    assert (await room.teacher.until("end"))["finish"] == "cancelled"
    assert room.ticket().cancelled


async def test_a_run_that_fails_ends_the_round_and_says_why() -> None:
    room = await open_round(1, "race")
    room.ticket().fail(EngineFailed("The model has failed: ask again."))
    end = await room.phones[0].stream.until("end")
    assert (end["finish"], end["error"]) == ("failed", "The model has failed: ask again.")
    assert (await room.phones[0].stream.until("results"))["arms"]["streamed"]["n"] == 0


async def test_a_refusal_of_the_engine_is_the_teachers_and_begins_no_round() -> None:
    engine = TicketEngine()
    room = await Classroom(engine).open(1)
    engine.refusal = Overloaded("It is full.", 3.0)
    reply = await room.lead("POST", "rounds", {"kind": "race"})
    assert (reply.status, reply.headers["retry-after"]) == (429, "3")
    engine.refusal = None
    assert (await room.begin("race"))["number"] == 1


@pytest.mark.parametrize("status", [Loading("reading"), Broken(ModelError("It is gone."))])
async def test_without_a_model_a_recorded_run_is_played_and_says_so(status: Status) -> None:
    recordings = read_recordings()
    room = await Classroom(ScriptedEngine(status), recordings).open(1)
    trace = recordings[-1]
    round = await room.begin("race", prompt=trace.question, max_new_tokens=4, arms="streamed")
    assert (round["recorded"], round["prompt"]) == (True, trace.question)
    await room.phones[0].stream.until("end")
    assert room.phones[0].stream.text == "".join(token.text for token in trace.tokens[:4])


async def test_without_a_model_and_without_recordings_a_round_is_refused() -> None:
    room = await Classroom(ScriptedEngine(Loading("reading"))).open()
    assert (await room.lead("POST", "rounds", {"kind": "race"})).status == 503
