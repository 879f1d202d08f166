"""Races, conversations and who sees what."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from demo.errors import BadRequest, EngineFailed, Overloaded
from demo.events import Message, Ready
from demo.ui.race import UPDATE_SECONDS, Race
from demo.ui.session import MAX_UPDATES_PER_SECOND, Session, Sessions
from demo.ui.view.options import GenerationOptions
from demo.ui.view.panes import PaneView
from tests.scripted import CARD, ScriptedEngine
from tests.traces import make_trace


def begin(session: Session, engine: ScriptedEngine, question: str = "Hello") -> Race:
    session.begin(engine, question, GenerationOptions())
    assert session.race is not None
    return session.race


async def collect(views: AsyncIterator[PaneView]) -> list[PaneView]:
    return [view async for view in views]


async def follow(race: Race) -> tuple[list[PaneView], PaneView, list[PaneView]]:
    """All three listeners of a race, to their ends."""
    return await asyncio.wait_for(asyncio.gather(collect(race.stream()), race.wait(), collect(race.narrate())), 5)


def play(session: Session, engine: ScriptedEngine, question: str, *texts: str) -> None:
    """A whole turn."""
    race = begin(session, engine, question)
    engine.tickets[-1].start()
    engine.tickets[-1].write(*texts)
    engine.tickets[-1].finish()
    asyncio.run(follow(race))
    assert session.settle()


def test_both_sides_end_with_the_same_text_and_nothing_is_whole_before_the_end() -> None:
    async def scene() -> None:
        engine, session = ScriptedEngine(), Session()
        race = begin(session, engine)
        following = asyncio.ensure_future(follow(race))
        engine.tickets[0].start()
        for text in ("Cheese ", "is ", "🧀", "."):
            engine.tickets[0].write(text)
            await asyncio.sleep(0)
        engine.tickets[0].finish()
        streamed, whole, told = await following
        assert streamed[-1].text == whole.text == "Cheese is 🧀."
        assert not any(view.text for view in told)

    asyncio.run(scene())


def test_each_view_of_the_streamed_side_goes_on_from_the_last() -> None:
    async def scene() -> None:
        engine, session = ScriptedEngine(), Session()
        stream = begin(session, engine).stream()
        engine.tickets[0].start()
        assert (await anext(stream)).phase == "reading"
        for text, shown in (("one ", "one "), ("two ", "one two "), ("three", "one two three")):
            engine.tickets[0].write(text)
            assert (await anext(stream)).text == shown
        engine.tickets[0].finish()
        assert [view.phase async for view in stream] == ["done"]

    asyncio.run(scene())


def test_stopping_one_side_leaves_the_other_to_its_end() -> None:
    async def scene() -> None:
        engine, session = ScriptedEngine(), Session()
        race = begin(session, engine)
        stream, whole = race.stream(), asyncio.ensure_future(race.wait())
        engine.tickets[0].start()
        engine.tickets[0].write("one ", "two ")
        await anext(stream)
        session.leave("streamed")
        assert not engine.tickets[0].cancelled
        engine.tickets[0].write("three")
        engine.tickets[0].finish()
        stopped = [view async for view in stream][-1]
        assert (stopped.phase, stopped.text) == ("stopped", "one two ")
        await collect(race.narrate())
        assert ((await whole).phase, (await whole).text) == ("done", "one two three")
        assert session.settle()
        assert "stopped at token 2 of 3," in session.turns[0].streamed.note

    asyncio.run(scene())


def test_stopping_everything_leaves_the_streamed_text_and_shows_no_whole_text() -> None:
    async def scene() -> None:
        engine, session = ScriptedEngine(), Session()
        race = begin(session, engine)
        stream, whole = race.stream(), asyncio.ensure_future(race.wait())
        engine.tickets[0].start()
        engine.tickets[0].write("one ")
        await anext(stream)
        session.leave_all()
        stopped = [view async for view in stream][-1]
        await collect(race.narrate())
        assert (stopped.text, (await whole).text) == ("one ", "")
        assert stopped.phase == (await whole).phase == "stopped"
        assert engine.tickets[0].cancelled

    asyncio.run(scene())


def test_when_both_sides_have_left_the_work_stops() -> None:
    engine, session = ScriptedEngine(), Session()
    begin(session, engine)
    session.leave("whole")
    assert not engine.tickets[0].cancelled
    session.leave("streamed")
    assert engine.tickets[0].cancelled


def test_a_second_message_goes_on_from_the_first_answer() -> None:
    engine, session = ScriptedEngine(), Session()
    play(session, engine, "Hello", "Hi", " there")
    begin(session, engine, "And now?")
    assert engine.tickets[1].request.prompt == (
        Message("user", "Hello"),
        Message("assistant", "Hi there"),
        Message("user", "And now?"),
    )


def test_a_retried_turn_is_asked_again_without_itself() -> None:
    engine, session = ScriptedEngine(), Session()
    play(session, engine, "Hello", "Hi")
    (turn,) = session.remove_turns(1)
    begin(session, engine, turn.question)
    assert engine.tickets[1].request.prompt == engine.tickets[0].request.prompt


def test_a_failed_turn_is_not_part_of_the_conversation() -> None:
    engine, session = ScriptedEngine(), Session()
    race = begin(session, engine)
    engine.tickets[0].fail(EngineFailed("The model gave up."))
    asyncio.run(follow(race))
    begin(session, engine, "Again")
    assert engine.tickets[1].request.prompt == (Message("user", "Again"),)


def test_a_refusal_changes_nothing() -> None:
    engine, session = ScriptedEngine(), Session()
    play(session, engine, "Hello", "Hi")
    before = (session.race, session.question, list(session.turns))
    engine.refusal = Overloaded("Too many at once: try again in a moment.")
    with pytest.raises(Overloaded):
        begin(session, engine, "More")
    assert (session.race, session.question, session.turns) == before


@pytest.mark.parametrize("question", ["", "  \n"])
def test_an_empty_prompt_is_refused(question: str) -> None:
    with pytest.raises(BadRequest, match="type something first"):
        begin(Session(), ScriptedEngine(), question)


def test_one_answer_at_a_time() -> None:
    engine, session = ScriptedEngine(), Session()
    begin(session, engine)
    with pytest.raises(BadRequest, match="still being written"):
        begin(session, engine)


def test_a_race_is_settled_once() -> None:
    engine, session = ScriptedEngine(), Session()
    play(session, engine, "Hello", "Hi")
    assert not session.settle()
    assert len(session.runs) == 1


def test_sessions_share_nothing() -> None:
    engine, sessions = ScriptedEngine(), Sessions()
    play(sessions.find("a"), engine, "Hello", "Hi")
    assert not sessions.find("b").turns
    begin(sessions.find("b"), engine, "Who are you?")
    assert engine.tickets[1].request.prompt == (Message("user", "Who are you?"),)


def test_each_tab_is_one_client_whatever_it_asks() -> None:
    engine, sessions = ScriptedEngine(), Sessions()
    for session in map(sessions.find, ("a", "b")):
        play(session, engine, "Hello", "Once ")
        session.complete(engine, GenerationOptions())
        engine.tickets[-1].finish()
        race = session.race
        assert race is not None
        asyncio.run(follow(race))
        session.begin_example(engine, "Tell me more", GenerationOptions())
    clients = [ticket.request.client for ticket in engine.tickets]
    assert clients == [sessions.find("a").client] * 3 + [sessions.find("b").client] * 3
    assert len(set(clients)) == 2
    assert all(client and client.startswith("session:") for client in clients)


def test_a_recorded_run_says_what_was_remembered_when_it_was_made() -> None:
    session = Session()
    session.replay(make_trace(gap=0.002, cached_tokens=8))
    race = session.race
    assert race is not None
    streamed, whole, _ = asyncio.run(follow(race))
    assert streamed[-1].remembered == whole.remembered == (8, 10)
    assert streamed[-1].label.startswith("recorded ")
    assert session.settle()
    assert session.turns[0].trace == make_trace(gap=0.002, cached_tokens=8)


def test_who_goes_is_forgotten_and_the_work_for_them_stops() -> None:
    engine, sessions = ScriptedEngine(), Sessions()
    begin(sessions.find("a"), engine)
    sessions.drop("a")
    sessions.drop("a")
    assert engine.tickets[0].cancelled
    assert len(sessions) == 0


def test_many_tabs_together_are_updated_no_more_often_than_a_few() -> None:
    engine, sessions = ScriptedEngine(), Sessions()
    one = sessions.find("one")
    begin(one, engine)
    alone = sessions.choose_interval(one)
    for number in range(99):
        begin(sessions.find(str(number)), engine)
    assert 100 / sessions.choose_interval(one) == pytest.approx(MAX_UPDATES_PER_SECOND)
    assert alone < sessions.choose_interval(one)


def test_a_tab_in_front_is_updated_ten_times_a_second_and_one_behind_another_once() -> None:
    engine, sessions = ScriptedEngine(), Sessions()
    seen, away = sessions.find("seen"), sessions.find("away")
    away.away = True
    for session in (seen, away):
        begin(session, engine)
    assert sessions.choose_interval(seen) == UPDATE_SECONDS == 0.1
    assert sessions.choose_interval(away) == 1.0


def test_a_run_that_is_slowed_down_says_so_where_the_machine_could_do_more() -> None:
    card = replace(CARD, rate=50.0)
    for pace, said in ((30, "slowed to 30 tokens/s"), (100, "real speed: slower here than 100 tokens/s"), (None, "")):
        session = Session()
        session.begin(ScriptedEngine(Ready(card)), "Hello", GenerationOptions(pace=pace))
        assert session.race is not None
        assert session.race.label == said
        assert session.race.run.request.pace == pace


def test_the_rest_of_an_answer_is_asked_for_as_its_continuation_and_becomes_one_message_with_it() -> None:
    engine, session = ScriptedEngine(), Session()
    play(session, engine, "Hello", "Once ")
    session.complete(engine, GenerationOptions())
    assert engine.tickets[1].request.prompt == (Message("user", "Hello"), Message("assistant", "Once "))
    race = session.race
    assert race is not None
    engine.tickets[1].write("upon")
    engine.tickets[1].finish()
    asyncio.run(follow(race))
    begin(session, engine, "And then?")
    expected = (Message("user", "Hello"), Message("assistant", "Once upon"), Message("user", "And then?"))
    assert engine.tickets[2].request.prompt == expected


def test_without_an_answer_there_is_nothing_to_continue() -> None:
    session = Session()
    with pytest.raises(BadRequest, match="type something first"):
        session.complete(ScriptedEngine(), GenerationOptions())


def test_a_stopped_side_rests_no_longer() -> None:
    async def scene() -> None:
        engine, session = ScriptedEngine(), Session()
        race = begin(session, engine)
        views = race.stream(lambda: 1000.0)
        engine.tickets[0].start()
        engine.tickets[0].write("One")
        while (await anext(views)).text != "One":
            pass
        following = asyncio.ensure_future(collect(views))
        await asyncio.sleep(0)
        race.leave("streamed")
        assert (await asyncio.wait_for(following, 5))[-1].phase == "stopped"
        race.leave_all()

    asyncio.run(scene())
