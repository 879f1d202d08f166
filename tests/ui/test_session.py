"""Races, conversations and sessions."""

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from demo.engine import Log, Ready, Ticket
from demo.errors import BadRequest, EngineFailed, Overloaded
from demo.prompt_threads import LONG_PROMPT
from demo.request import Message, Request
from demo.ui import session as ui_session
from demo.ui.race import UPDATE_SECONDS, Race
from demo.ui.session import MAX_RUNS, MAX_UPDATES_PER_SECOND, Session, Sessions
from demo.ui.view.options import GenerationOptions
from demo.ui.view.panes import PaneView
from demo.ui.view.turn import Question
from demo.ui.view.words import Side
from tests.scripted import CARD, ScriptedEngine
from tests.traces import make_trace

pytestmark = pytest.mark.anyio
HELLO = Message("user", "Hello")


async def start(
    session: Session, engine: ScriptedEngine, question: Question | str = "Hello", pace: float | None = None
) -> Race:
    question = Question(question) if isinstance(question, str) else question
    await session.start(engine, question, GenerationOptions(pace=pace))
    assert session.race is not None
    return session.race


async def collect(views: AsyncIterator[PaneView]) -> list[PaneView]:
    return [view async for view in views]


async def follow(race: Race) -> tuple[list[PaneView], PaneView, list[PaneView]]:
    """All three listeners of a race, to their ends: streamed, whole, progress."""
    listeners = asyncio.gather(collect(race.report_progress()), collect(race.stream()), race.wait())
    progress, streamed, whole = await asyncio.wait_for(listeners, 5)
    return streamed, whole, progress


async def play(session: Session, engine: ScriptedEngine, question: Question | str, *texts: str) -> None:
    """A whole turn."""
    race = await start(session, engine, question)
    engine.tickets[-1].start_with(*texts)
    engine.tickets[-1].finish()
    await follow(race)
    assert session.record()


async def test_both_sides_end_with_the_same_text_and_nothing_is_whole_before_the_end(
    session: Session, engine: ScriptedEngine
) -> None:
    following = asyncio.ensure_future(follow(await start(session, engine)))
    engine.tickets[0].start()
    for text in ("Cheese ", "is ", "🧀", "."):
        engine.tickets[0].write(text)
        await asyncio.sleep(0)
    engine.tickets[0].finish()
    streamed, whole, progress = await following
    assert streamed[-1].text == whole.text == "Cheese is 🧀."
    assert not any(view.text for view in progress)


async def test_of_an_answer_that_is_there_at_once_the_progress_shows_no_text(
    session: Session, engine: ScriptedEngine
) -> None:
    race = await start(session, engine)
    engine.tickets[0].start_with("All ", "at once")
    engine.tickets[0].finish()
    _, whole, progress = await follow(race)
    assert ([view.text for view in progress], whole.text) == ([""], "All at once")


async def test_each_view_of_the_streamed_side_continues_the_last(session: Session, engine: ScriptedEngine) -> None:
    stream = (await start(session, engine)).stream()
    engine.tickets[0].start()
    assert (await anext(stream)).phase == "reading"
    for text, shown in (("one ", "one "), ("two ", "one two "), ("three", "one two three")):
        engine.tickets[0].write(text)
        assert (await anext(stream)).text == shown
    engine.tickets[0].finish()
    assert [view.phase async for view in stream] == ["done"]


async def test_stopping_one_side_leaves_the_other_to_its_end(session: Session, engine: ScriptedEngine) -> None:
    race = await start(session, engine)
    stream, whole = race.stream(), asyncio.ensure_future(race.wait())
    engine.tickets[0].start_with("one ", "two ")
    await anext(stream)
    session.stop("streamed")
    assert not engine.tickets[0].cancelled
    engine.tickets[0].write("three")
    engine.tickets[0].finish()
    stopped = (await collect(stream))[-1]
    assert (stopped.phase, stopped.text) == ("stopped", "one two ")
    await collect(race.report_progress())
    assert ((await whole).phase, (await whole).text) == ("done", "one two three")
    assert session.record()
    assert "stopped at token 2 of 3," in session.turns[0].streamed.note


async def test_stopping_both_leaves_the_streamed_text_and_shows_no_whole_text(
    session: Session, engine: ScriptedEngine
) -> None:
    race = await start(session, engine)
    stream, whole = race.stream(), asyncio.ensure_future(race.wait())
    engine.tickets[0].start_with("one ")
    await anext(stream)
    session.stop()
    stopped = (await collect(stream))[-1]
    await collect(race.report_progress())
    assert (stopped.text, (await whole).text) == ("one ", "")
    assert stopped.phase == (await whole).phase == "stopped"
    assert engine.tickets[0].cancelled


async def test_a_retried_turn_is_asked_again_without_itself(session: Session, engine: ScriptedEngine) -> None:
    await play(session, engine, "Hello", "Hi")
    await session.start(engine, session.turns[-1].question, GenerationOptions(), replaced=1)
    assert session.turns == []
    assert engine.tickets[1].request.prompt == engine.tickets[0].request.prompt


@pytest.mark.parametrize(
    ("texts", "stopped"), [((), []), (("Hi", " the"), []), (("Hi",), ["whole"]), (("Hi",), ["streamed"])]
)
async def test_a_failed_turn_with_text_or_without_is_not_part_of_the_conversation(
    session: Session, engine: ScriptedEngine, texts: tuple[str, ...], stopped: list[Side]
) -> None:
    race = await start(session, engine)
    sides: dict[Side, asyncio.Future[object]] = {
        "streamed": asyncio.ensure_future(collect(race.stream())),
        "whole": asyncio.ensure_future(race.wait()),
    }
    progress = asyncio.ensure_future(collect(race.report_progress()))
    engine.tickets[0].start_with(*texts)
    for side in stopped:
        await progress
        race.detach(side)
        await sides[side]
    engine.tickets[0].fail(EngineFailed("The model gave up."))
    await asyncio.gather(progress, *sides.values())
    with pytest.raises(BadRequest, match="no answer to continue"):
        await start(session, engine, Question("Hello", "rest"))
    await start(session, engine, "Again")
    assert engine.tickets[1].request.prompt == (Message("user", "Again"),)


@pytest.mark.parametrize("text", ["More", "x" * LONG_PROMPT], ids=["short", "long"])
async def test_a_refusal_changes_nothing(session: Session, engine: ScriptedEngine, text: str) -> None:
    await play(session, engine, "Hello", "Hi")
    before = (session.race, session.question, list(session.turns))
    engine.refusal = Overloaded("Too many at once: try again in a moment.")
    with pytest.raises(Overloaded):
        await session.start(engine, Question(text), GenerationOptions(), replaced=None)
    assert (session.race, session.question, session.turns) == before
    engine.refusal = None
    await start(session, engine, "Again")


@pytest.mark.parametrize(("text", "kind"), [("", "turn"), ("  \n", "turn"), ("", "rest")])
async def test_an_empty_prompt_is_refused(session: Session, engine: ScriptedEngine, text: str, kind: str) -> None:
    with pytest.raises(BadRequest, match="type something first"):
        await start(session, engine, Question(text, kind))  # type: ignore[arg-type]


async def test_one_answer_at_a_time(session: Session, engine: ScriptedEngine) -> None:
    await start(session, engine)
    with pytest.raises(BadRequest, match="still being written"):
        await start(session, engine)


async def test_a_session_keeps_its_last_100_runs_and_the_whole_conversation(
    session: Session, engine: ScriptedEngine
) -> None:
    for number in range(1, MAX_RUNS + 3):
        await play(session, engine, f"Question {number}", "Yes")
    assert [turn.number for turn in session.runs] == list(range(3, MAX_RUNS + 3))
    assert MAX_RUNS == 100
    await start(session, engine, "And now?")
    prompt = engine.tickets[-1].request.prompt
    assert isinstance(prompt, tuple)
    assert len(prompt) == 2 * (MAX_RUNS + 2) + 1
    assert prompt[0] == Message("user", "Question 1")


async def test_a_session_keeps_as_many_runs_as_have_so_many_tokens_and_always_the_last(
    session: Session, engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ui_session, "MAX_RUN_TOKENS", 5)
    for length in (1, 2, 3):
        await play(session, engine, "Hello", *["Yes "] * length)
    assert [turn.tokens for turn in session.runs] == [2, 3]
    await play(session, engine, "Hello", *["Yes "] * 9)
    assert [(turn.number, turn.tokens) for turn in session.runs] == [(4, 9)]


async def test_sessions_share_nothing(engine: ScriptedEngine) -> None:
    sessions = Sessions()
    await play(sessions.find("a"), engine, "Hello", "Hi")
    assert not sessions.find("b").turns
    await start(sessions.find("b"), engine, "Who are you?")
    assert engine.tickets[1].request.prompt == (Message("user", "Who are you?"),)


async def test_each_tab_is_one_client_whatever_it_asks(engine: ScriptedEngine) -> None:
    sessions = Sessions()
    for session in map(sessions.find, ("a", "b")):
        await play(session, engine, "Hello", "Once ")
        await play(session, engine, Question("Hello", "rest"), "upon")
        await play(session, engine, Question("Tell me more", "example"), "No")
    clients = [ticket.request.client for ticket in engine.tickets]
    assert clients == [sessions.find("a").client] * 3 + [sessions.find("b").client] * 3
    assert len(set(clients)) == 2
    assert all(client and "/session:" in client for client in clients)


async def test_the_example_is_asked_by_itself_with_its_own_options_and_past_the_end_token(
    session: Session, engine: ScriptedEngine
) -> None:
    await play(session, engine, "Hello", "Hi")
    await start(session, engine, Question("A story", "example", options=GenerationOptions(1000, pace=100)), pace=30)
    request = engine.tickets[1].request
    assert request.prompt == (Message("user", "A story"),)
    assert (request.max_new_tokens, request.ignore_eos, request.pace) == (1000, True, 100)
    assert not request.ends_loops  # it is as long as it says
    assert not engine.tickets[0].request.ignore_eos
    assert engine.tickets[0].request.ends_loops


async def test_a_recorded_run_shows_what_was_cached_when_it_was_made(session: Session, engine: ScriptedEngine) -> None:
    trace = make_trace(gap=0.002, cached_tokens=8)
    streamed, whole, _ = await follow(await start(session, engine, Question(trace.question, "recording", trace)))
    assert streamed[-1].cached == whole.cached == (8, 10)
    assert streamed[-1].label.startswith("recorded ")
    assert session.record()
    assert session.turns[0].trace == trace


async def test_a_closed_tab_is_forgotten_and_its_work_stops(engine: ScriptedEngine) -> None:
    sessions = Sessions()
    await start(sessions.find("a"), engine)
    sessions.close("a")
    sessions.close("a")
    assert engine.tickets[0].cancelled
    assert len(sessions) == 0


async def test_a_tab_that_was_closed_while_a_listener_waited_starts_nothing(engine: ScriptedEngine) -> None:
    sessions = Sessions()
    session = sessions.find("a")
    sessions.close("a")
    with pytest.raises(BadRequest, match="closed"):
        await start(session, engine)
    assert engine.tickets == []


async def test_many_tabs_together_are_updated_no_more_often_than_a_few(engine: ScriptedEngine) -> None:
    sessions = Sessions()
    one = sessions.find("one")
    await start(one, engine)
    alone = sessions.choose_interval(one)
    for number in range(99):
        await start(sessions.find(str(number)), engine)
    assert 100 / sessions.choose_interval(one) == pytest.approx(MAX_UPDATES_PER_SECOND)
    assert alone < sessions.choose_interval(one)


async def test_a_visible_tab_is_updated_ten_times_a_second_and_a_hidden_one_once(engine: ScriptedEngine) -> None:
    sessions = Sessions()
    visible, hidden = sessions.find("visible"), sessions.find("hidden")
    hidden.hidden = True
    await start(visible, engine)
    await start(hidden, engine)
    assert sessions.choose_interval(visible) == UPDATE_SECONDS == 0.1
    assert sessions.choose_interval(hidden) == 1.0


@pytest.mark.parametrize(
    ("pace", "label"), [(50, "slowed to 50 tokens/s"), (51, "real speed: slower here than 51 tokens/s"), (None, "")]
)
async def test_a_slowed_run_is_labelled_where_the_machine_is_faster(
    session: Session, pace: float | None, label: str
) -> None:
    race = await start(session, ScriptedEngine(Ready(replace(CARD, rate=50.0))), pace=pace)
    assert race.label == label
    assert race.run.request.pace == pace


async def test_the_rest_of_an_answer_continues_it_and_becomes_one_message_with_it(
    session: Session, engine: ScriptedEngine
) -> None:
    await play(session, engine, "Hello", "Once ")
    await play(session, engine, Question("Hello", "rest"), "upon")
    assert engine.tickets[1].request.prompt == (HELLO, Message("assistant", "Once "))
    await start(session, engine, "And then?")
    assert engine.tickets[2].request.prompt == (HELLO, Message("assistant", "Once upon"), Message("user", "And then?"))


async def test_a_model_without_a_chat_template_gets_the_text_itself(session: Session) -> None:
    engine = ScriptedEngine(Ready(replace(CARD, has_chat_template=False)))
    await play(session, engine, "Once upon", " a time")
    await play(session, engine, Question("Once upon", "rest"), " there")
    assert [ticket.request.prompt for ticket in engine.tickets] == ["Once upon", "Once upon a time"]


async def test_neither_the_first_text_nor_a_stop_waits_for_an_update(session: Session, engine: ScriptedEngine) -> None:
    race = await start(session, engine)
    views = race.stream(lambda: 1000.0)
    engine.tickets[0].start()
    assert (await anext(views)).phase == "reading"
    engine.tickets[0].write("One")
    assert (await asyncio.wait_for(anext(views), 5)).text == "One"
    following = asyncio.ensure_future(collect(views))
    await asyncio.sleep(0)
    session.stop("streamed")
    assert (await asyncio.wait_for(following, 5))[-1].phase == "stopped"
    session.stop()


class SlowEngine(ScriptedEngine):
    """Takes until `open` to admit, and knows in which thread it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.open = threading.Event(), threading.Event()

    def submit(self, request: Request, log: Log) -> Ticket:
        self.thread = threading.current_thread()
        self.asked.set()
        assert self.open.wait(20)
        return super().submit(request, log)


async def begin_slowly(session: Session, engine: SlowEngine) -> "asyncio.Task[None]":
    """A long question, which is being encoded."""
    question = Question("x" * LONG_PROMPT)
    starting = asyncio.ensure_future(session.start(engine, question, GenerationOptions()))
    assert await asyncio.to_thread(engine.asked.wait, 20)
    return starting


async def test_a_long_question_is_encoded_beside_the_event_loop_and_no_other_starts_meanwhile(session: Session) -> None:
    engine = SlowEngine()
    starting = await begin_slowly(session, engine)
    with pytest.raises(BadRequest, match="still being written"):
        await start(session, engine, "Another")
    engine.open.set()
    await starting
    assert engine.thread is not threading.current_thread()
    assert session.racing
    assert len(engine.tickets) == 1


async def test_a_race_that_is_stopped_while_its_question_is_encoded_does_no_work(session: Session) -> None:
    engine = SlowEngine()
    starting = await begin_slowly(session, engine)
    session.stop()
    engine.open.set()
    await starting
    assert engine.tickets[0].cancelled
