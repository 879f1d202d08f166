"""An engine slowed down on purpose."""

import threading
from itertools import pairwise

from demo.errors import EngineFailed
from demo.events import Done, Event, Failed, Request, Started, Token
from demo.pace import Paced
from demo.run import Run
from tests.scripted import ScriptedEngine, TypingEngine


def read_all(run: Run) -> list[Event]:
    return [event for batch in run.attach() for event in batch]


def test_tokens_come_at_least_a_gap_apart_and_are_all_there() -> None:
    run = Run(Paced(TypingEngine(["a", "b", "c", "d"], 0), 50), Request("Hello"))
    started, *tokens, done = read_all(run)
    times = [event.time for event in tokens if isinstance(event, Token)]
    assert isinstance(started, Started)
    assert isinstance(done, Done)
    assert "".join(event.text for event in tokens if isinstance(event, Token)) == "abcd"
    assert all(later - earlier >= 0.0199 for earlier, later in pairwise(times))
    assert done.time == times[-1]
    assert (done.finish_reason, done.generated_tokens) == ("eos_token", 4)


def test_an_engine_slower_than_the_pace_keeps_its_own_times() -> None:
    engine = ScriptedEngine()
    run = Run(Paced(engine, 1e6), Request("Hello"))
    ticket = engine.tickets[0]
    ticket.start()
    ticket.write("a")
    threading.Event().wait(0.03)
    ticket.write("b")
    ticket.finish()
    times = [event.time for event in read_all(run) if isinstance(event, Token)]
    assert times[1] - times[0] >= 0.03


def test_when_nobody_reads_any_more_the_engine_stops_too() -> None:
    engine = ScriptedEngine()
    run = Run(Paced(engine, 10), Request("Hello"))
    engine.tickets[0].start()
    engine.tickets[0].write("a", "b", "c")
    reader = run.attach()
    assert next(iter(reader))
    reader.close()
    assert engine.tickets[0].stopped.wait(10)
    done = read_all(run)[-1]
    assert isinstance(done, Done)
    assert done.finish_reason == "cancelled"


def test_what_the_engine_fails_with_is_told() -> None:
    engine = ScriptedEngine()
    run = Run(Paced(engine, 100), Request("Hello"))
    engine.tickets[0].start()
    engine.tickets[0].write("a")
    engine.tickets[0].fail(EngineFailed("It broke."))
    assert isinstance(read_all(run)[-1], Failed)


def test_everything_else_is_the_engines_own() -> None:
    engine = ScriptedEngine()
    paced = Paced(engine, 10)
    assert paced.status == engine.status
    assert paced.load.limit == engine.load.limit
    assert paced.tokenize("ab") == engine.tokenize("ab")
    paced.admit()
