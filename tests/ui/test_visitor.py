"""Races, conversations and who sees what."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from demo.errors import BadRequest, EngineFailed, Overloaded
from demo.events import Message, Ready
from demo.ui.dials import Manner
from demo.ui.panes import PaneView
from demo.ui.race import BEAT, Race
from demo.ui.visitor import MOST_UPDATES, Visitor, Visitors
from tests.scripted import CARD, ScriptedEngine
from tests.traces import make_trace


def begin(visitor: Visitor, engine: ScriptedEngine, question: str = "Hello") -> Race:
    visitor.begin(engine, question, Manner())
    assert visitor.race is not None
    return visitor.race


async def collect(views: AsyncIterator[PaneView]) -> list[PaneView]:
    return [view async for view in views]


async def follow(race: Race) -> tuple[list[PaneView], PaneView, list[PaneView]]:
    """All three listeners of a race, to their ends."""
    return await asyncio.wait_for(asyncio.gather(collect(race.stream()), race.wait(), collect(race.narrate())), 5)


def play(visitor: Visitor, engine: ScriptedEngine, question: str, *texts: str) -> None:
    """A whole turn."""
    race = begin(visitor, engine, question)
    engine.tickets[-1].start()
    engine.tickets[-1].write(*texts)
    engine.tickets[-1].finish()
    asyncio.run(follow(race))
    assert visitor.settle()


def test_both_sides_end_with_the_same_text_and_nothing_is_whole_before_the_end() -> None:
    async def scene() -> None:
        engine, visitor = ScriptedEngine(), Visitor()
        race = begin(visitor, engine)
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
        engine, visitor = ScriptedEngine(), Visitor()
        stream = begin(visitor, engine).stream()
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
        engine, visitor = ScriptedEngine(), Visitor()
        race = begin(visitor, engine)
        stream, whole = race.stream(), asyncio.ensure_future(race.wait())
        engine.tickets[0].start()
        engine.tickets[0].write("one ", "two ")
        await anext(stream)
        visitor.leave("streamed")
        assert not engine.tickets[0].cancelled
        engine.tickets[0].write("three")
        engine.tickets[0].finish()
        stopped = [view async for view in stream][-1]
        assert (stopped.phase, stopped.text) == ("stopped", "one two ")
        await collect(race.narrate())
        assert ((await whole).phase, (await whole).text) == ("done", "one two three")
        assert visitor.settle()
        assert "stopped at token 2 of 3," in visitor.turns[0].streamed.note

    asyncio.run(scene())


def test_stopping_everything_leaves_the_streamed_text_and_shows_no_whole_text() -> None:
    async def scene() -> None:
        engine, visitor = ScriptedEngine(), Visitor()
        race = begin(visitor, engine)
        stream, whole = race.stream(), asyncio.ensure_future(race.wait())
        engine.tickets[0].start()
        engine.tickets[0].write("one ")
        await anext(stream)
        visitor.leave_all()
        stopped = [view async for view in stream][-1]
        await collect(race.narrate())
        assert (stopped.text, (await whole).text) == ("one ", "")
        assert stopped.phase == (await whole).phase == "stopped"
        assert engine.tickets[0].cancelled

    asyncio.run(scene())


def test_when_both_sides_have_left_the_work_stops() -> None:
    engine, visitor = ScriptedEngine(), Visitor()
    begin(visitor, engine)
    visitor.leave("whole")
    assert not engine.tickets[0].cancelled
    visitor.leave("streamed")
    assert engine.tickets[0].cancelled


def test_a_second_message_goes_on_from_the_first_answer() -> None:
    engine, visitor = ScriptedEngine(), Visitor()
    play(visitor, engine, "Hello", "Hi", " there")
    begin(visitor, engine, "And now?")
    assert engine.tickets[1].request.prompt == (
        Message("user", "Hello"),
        Message("assistant", "Hi there"),
        Message("user", "And now?"),
    )


def test_a_retried_turn_is_asked_again_without_itself() -> None:
    engine, visitor = ScriptedEngine(), Visitor()
    play(visitor, engine, "Hello", "Hi")
    (turn,) = visitor.take_back(1)
    begin(visitor, engine, turn.question)
    assert engine.tickets[1].request.prompt == engine.tickets[0].request.prompt


def test_a_failed_turn_is_not_part_of_the_conversation() -> None:
    engine, visitor = ScriptedEngine(), Visitor()
    race = begin(visitor, engine)
    engine.tickets[0].fail(EngineFailed("The model gave up."))
    asyncio.run(follow(race))
    begin(visitor, engine, "Again")
    assert engine.tickets[1].request.prompt == (Message("user", "Again"),)


def test_a_refusal_changes_nothing() -> None:
    engine, visitor = ScriptedEngine(), Visitor()
    play(visitor, engine, "Hello", "Hi")
    before = (visitor.race, visitor.question, list(visitor.turns))
    engine.refusal = Overloaded("Too many at once: try again in a moment.")
    with pytest.raises(Overloaded):
        begin(visitor, engine, "More")
    assert (visitor.race, visitor.question, visitor.turns) == before


@pytest.mark.parametrize("question", ["", "  \n"])
def test_an_empty_prompt_is_refused(question: str) -> None:
    with pytest.raises(BadRequest, match="type something first"):
        begin(Visitor(), ScriptedEngine(), question)


def test_one_answer_at_a_time() -> None:
    engine, visitor = ScriptedEngine(), Visitor()
    begin(visitor, engine)
    with pytest.raises(BadRequest, match="still being written"):
        begin(visitor, engine)


def test_a_race_is_settled_once() -> None:
    engine, visitor = ScriptedEngine(), Visitor()
    play(visitor, engine, "Hello", "Hi")
    assert not visitor.settle()
    assert len(visitor.runs) == 1


def test_visitors_share_nothing() -> None:
    engine, visitors = ScriptedEngine(), Visitors()
    play(visitors.find("a"), engine, "Hello", "Hi")
    assert not visitors.find("b").turns
    begin(visitors.find("b"), engine, "Who are you?")
    assert engine.tickets[1].request.prompt == (Message("user", "Who are you?"),)


def test_each_tab_is_one_client_whatever_it_asks() -> None:
    engine, visitors = ScriptedEngine(), Visitors()
    for session in ("a", "b"):
        visitor = visitors.find(session)
        play(visitor, engine, "Hello", "Once ")
        visitor.complete(engine, Manner())
        engine.tickets[-1].finish()
        race = visitor.race
        assert race is not None
        asyncio.run(follow(race))
        visitor.begin_example(engine, "Tell me more", Manner())
    clients = [ticket.request.client for ticket in engine.tickets]
    assert clients == [visitors.find("a").client] * 3 + [visitors.find("b").client] * 3
    assert len(set(clients)) == 2
    assert all(client and client.startswith("session:") for client in clients)


def test_a_recorded_run_says_what_was_remembered_when_it_was_made() -> None:
    visitor = Visitor()
    visitor.replay(make_trace(gap=0.002, cached_tokens=8))
    race = visitor.race
    assert race is not None
    streamed, whole, _ = asyncio.run(follow(race))
    assert streamed[-1].remembered == whole.remembered == (8, 10)
    assert streamed[-1].label.startswith("recorded ")
    assert visitor.settle()
    assert visitor.turns[0].trace == make_trace(gap=0.002, cached_tokens=8)


def test_who_goes_is_forgotten_and_the_work_for_them_stops() -> None:
    engine, visitors = ScriptedEngine(), Visitors()
    begin(visitors.find("a"), engine)
    visitors.drop("a")
    visitors.drop("a")
    assert engine.tickets[0].cancelled
    assert len(visitors) == 0


def test_many_tabs_together_are_updated_no_more_often_than_a_few() -> None:
    engine, visitors = ScriptedEngine(), Visitors()
    one = visitors.find("one")
    begin(one, engine)
    alone = visitors.choose_beat(one)
    for number in range(99):
        begin(visitors.find(str(number)), engine)
    assert 100 / visitors.choose_beat(one) == pytest.approx(MOST_UPDATES)
    assert alone < visitors.choose_beat(one)


def test_a_tab_in_front_is_updated_ten_times_a_second_and_one_behind_another_once() -> None:
    engine, visitors = ScriptedEngine(), Visitors()
    seen, away = visitors.find("seen"), visitors.find("away")
    away.away = True
    for visitor in (seen, away):
        begin(visitor, engine)
    assert visitors.choose_beat(seen) == BEAT == 0.1
    assert visitors.choose_beat(away) == 1.0


def test_a_run_that_is_slowed_down_says_so_where_the_machine_could_do_more() -> None:
    card = replace(CARD, rate=50.0)
    for pace, said in ((30, "slowed to 30 tokens/s"), (100, "real speed: slower here than 100 tokens/s"), (None, "")):
        visitor = Visitor()
        visitor.begin(ScriptedEngine(Ready(card)), "Hello", Manner(pace=pace))
        assert visitor.race is not None
        assert visitor.race.label == said
        assert visitor.race.run.request.pace == pace


def test_the_rest_of_an_answer_is_asked_for_as_its_continuation_and_becomes_one_message_with_it() -> None:
    engine, visitor = ScriptedEngine(), Visitor()
    play(visitor, engine, "Hello", "Once ")
    visitor.complete(engine, Manner())
    assert engine.tickets[1].request.prompt == (Message("user", "Hello"), Message("assistant", "Once "))
    race = visitor.race
    assert race is not None
    engine.tickets[1].write("upon")
    engine.tickets[1].finish()
    asyncio.run(follow(race))
    begin(visitor, engine, "And then?")
    expected = (Message("user", "Hello"), Message("assistant", "Once upon"), Message("user", "And then?"))
    assert engine.tickets[2].request.prompt == expected


def test_without_an_answer_there_is_nothing_to_continue() -> None:
    visitor = Visitor()
    with pytest.raises(BadRequest, match="type something first"):
        visitor.complete(ScriptedEngine(), Manner())


def test_a_stopped_side_rests_no_longer() -> None:
    async def scene() -> None:
        engine, visitor = ScriptedEngine(), Visitor()
        race = begin(visitor, engine)
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
