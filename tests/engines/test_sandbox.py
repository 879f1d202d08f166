"""A sandbox admits as many as its limit says, frees a place when its run has ended, and starves nobody."""

from collections.abc import Callable

import pytest

from demo.engines.sandbox import SHARE, Sandbox
from demo.errors import DemoError, EngineFailed, NotReady, Overloaded
from demo.events import Done, Event, Load, Loading, Request
from tests.scripted import ScriptedEngine, ScriptedTicket

ASKED = Request("hi")


class SmallEngine(ScriptedEngine):
    """Admits `limit` requests."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    @property
    def load(self) -> Load:
        load = super().load
        return Load(load.running, load.waiting, self._limit, load.stalled)


def ignore(*events: Event) -> None:
    """A log that nobody reads."""


def fill(sandbox: Sandbox) -> None:
    for _ in range(sandbox.limit):
        sandbox.submit(ASKED, ignore)


def test_it_admits_as_many_as_its_limit_and_the_engine_never_hears_of_the_next() -> None:
    engine = ScriptedEngine()
    sandbox = Sandbox(engine, 3)
    fill(sandbox)
    for refused in (sandbox.admit, lambda: sandbox.submit(ASKED, ignore)):
        with pytest.raises(Overloaded, match="Model is overloaded: 3 requests"):
            refused()
    assert len(engine.tickets) == 3
    assert (sandbox.load.running, sandbox.load.limit) == (3, 3)
    engine.admit()  # whoever asks outside is not refused


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
def test_a_place_is_free_when_its_run_has_ended(end: Callable[[ScriptedTicket], None]) -> None:
    engine = ScriptedEngine()
    sandbox = Sandbox(engine, 2)
    fill(sandbox)
    engine.tickets[0].start()
    engine.tickets[0].write("one")
    with pytest.raises(Overloaded):
        sandbox.admit()
    end(engine.tickets[0])
    sandbox.submit(ASKED, ignore)
    with pytest.raises(Overloaded):
        sandbox.admit()


def test_whoever_reads_the_end_of_a_run_finds_its_place_free() -> None:
    engine = ScriptedEngine()
    sandbox = Sandbox(engine, 1)
    read: list[Event] = []

    def ask_again(*events: Event) -> None:
        read.extend(events)
        if isinstance(events[-1], Done):
            sandbox.admit()

    sandbox.submit(ASKED, ask_again)
    engine.tickets[0].start()
    engine.tickets[0].finish()
    assert [type(event).__name__ for event in read] == ["Started", "Done"]


@pytest.mark.parametrize(
    ("places", "asked", "lent"), [(100, 8, 8), (64, 4, 4), (8, 8, 2), (8, 1, 1), (3, 8, 1), (1, 4, 1)]
)
def test_it_is_lent_a_share_of_the_engines_places_at_most(places: int, asked: int, lent: int) -> None:
    sandbox = Sandbox(SmallEngine(places), asked)
    assert sandbox.limit == lent
    assert lent == 1 or lent * SHARE <= places


def test_what_the_engine_refuses_takes_no_place() -> None:
    engine = ScriptedEngine()
    sandbox = Sandbox(engine, 1)
    for refusal in (Overloaded("Model is overloaded"), NotReady("a moment")):
        engine.refusal = refusal
        with pytest.raises(DemoError) as said:
            sandbox.submit(ASKED, ignore)
        assert said.value is refusal
        with pytest.raises(type(refusal)):
            sandbox.admit()
    engine.refusal = None
    fill(sandbox)


def test_closed_it_gives_back_its_own_places_and_no_others() -> None:
    engine = ScriptedEngine()
    sandbox, neighbour = Sandbox(engine, 2), engine.submit(ASKED, ignore)
    fill(sandbox)
    sandbox.close()
    assert [ticket.cancelled for ticket in engine.tickets] == [False, True, True]
    with pytest.raises(NotReady):
        sandbox.submit(ASKED, ignore)
    neighbour.cancel()


def test_it_stands_where_its_engine_stands() -> None:
    loading = Loading("reading the weights")
    sandbox = Sandbox(ScriptedEngine(loading), 2)
    assert sandbox.status is loading
    assert sandbox.tokenize("ab") == ScriptedEngine().tokenize("ab")
