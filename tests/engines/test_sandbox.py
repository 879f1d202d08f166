"""A sandbox admits as many runs as its limit, frees a slot when a run has ended, and leaves the rest to the engine."""

from collections.abc import Callable

import pytest

from demo.engine import Loading
from demo.engines.sandbox import SHARE, Sandbox
from demo.errors import DemoError, EngineFailed, NotReady, Overloaded
from demo.events import Done, Event
from demo.request import Request
from tests.engines.test_fair_engine import LimitedEngine, ignore
from tests.scripted import ScriptedEngine, ScriptedTicket

REQUEST = Request("hi")


def open_sandbox(limit: int) -> tuple[ScriptedEngine, Sandbox]:
    engine = ScriptedEngine()
    return engine, Sandbox(engine, limit)


def fill(sandbox: Sandbox) -> None:
    for _ in range(sandbox.limit):
        sandbox.submit(REQUEST, ignore)


def test_it_admits_as_many_as_its_limit_and_refuses_the_next_itself() -> None:
    engine, sandbox = open_sandbox(3)
    fill(sandbox)
    for refused in (sandbox.admit, lambda: sandbox.submit(REQUEST, ignore)):
        with pytest.raises(Overloaded, match="Model is overloaded: 3 requests"):
            refused()
    assert len(engine.tickets) == 3
    assert (sandbox.load.running, sandbox.load.limit) == (3, 3)
    engine.admit()  # requests outside the sandbox are not refused


@pytest.mark.parametrize(
    "end",
    [
        lambda ticket: ticket.finish(),
        lambda ticket: ticket.write_last("a", "eos_token"),
        lambda ticket: ticket.fail(EngineFailed("it broke")),
        lambda ticket: ticket.cancel(),
    ],
    ids=["finished", "with its last token", "failed", "cancelled"],
)
def test_a_slot_is_free_when_its_run_has_ended(end: Callable[[ScriptedTicket], None]) -> None:
    engine, sandbox = open_sandbox(2)
    fill(sandbox)
    engine.tickets[0].start_with("one")
    with pytest.raises(Overloaded):
        sandbox.admit()
    end(engine.tickets[0])
    sandbox.submit(REQUEST, ignore)
    with pytest.raises(Overloaded):
        sandbox.admit()


def test_a_reader_of_the_end_of_a_run_finds_its_slot_free() -> None:
    engine, sandbox = open_sandbox(1)
    read: list[Event] = []

    def ask_again(*events: Event) -> None:
        read.extend(events)
        if isinstance(events[-1], Done):
            sandbox.admit()

    sandbox.submit(REQUEST, ask_again)
    engine.tickets[0].start()
    engine.tickets[0].finish()
    assert [type(event).__name__ for event in read] == ["Started", "Done"]


@pytest.mark.parametrize(
    ("engine_limit", "asked", "limit"), [(100, 8, 8), (64, 4, 4), (8, 8, 2), (8, 1, 1), (3, 8, 1), (1, 4, 1)]
)
def test_its_limit_is_a_share_of_the_engines_limit_at_most(engine_limit: int, asked: int, limit: int) -> None:
    sandbox = Sandbox(LimitedEngine(engine_limit), asked)
    assert sandbox.limit == limit
    assert limit == 1 or limit * SHARE <= engine_limit


def test_a_request_that_the_engine_refuses_takes_no_slot() -> None:
    engine, sandbox = open_sandbox(1)
    for refusal in (Overloaded("Model is overloaded"), NotReady("a moment")):
        engine.refusal = refusal
        with pytest.raises(DemoError) as refused:
            sandbox.submit(REQUEST, ignore)
        assert refused.value is refusal
        with pytest.raises(type(refusal)):
            sandbox.admit()
    engine.refusal = None
    fill(sandbox)


def test_closing_it_cancels_its_own_runs_and_no_others() -> None:
    engine = ScriptedEngine()
    sandbox, neighbour = Sandbox(engine, 2), engine.submit(REQUEST, ignore)
    fill(sandbox)
    sandbox.close()
    assert [ticket.cancelled for ticket in engine.tickets] == [False, True, True]
    with pytest.raises(NotReady):
        sandbox.submit(REQUEST, ignore)
    neighbour.cancel()


def test_its_status_and_tokenizer_are_the_engines() -> None:
    loading = Loading("reading the weights")
    sandbox = Sandbox(ScriptedEngine(loading), 2)
    assert sandbox.status is loading
    assert sandbox.tokenize("ab") == ScriptedEngine().tokenize("ab")
