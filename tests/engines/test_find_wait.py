"""A client is told to try again when so many places are expected to be free for it."""

from collections.abc import Mapping

import pytest

from demo.client_key import make_client_key
from demo.engines.fair_engine import FairEngine
from demo.engines.metered import MeteredEngine
from demo.engines.returning_clients import SOON, ReturningClients
from demo.engines.sandbox import Sandbox
from demo.errors import Overloaded
from demo.request import Request
from demo.run import Run
from tests.engines.test_fair_engine import LimitedEngine


def make_client(name: str) -> str:
    return make_client_key(name, "address")


def open_held(limit: int, *held: tuple[str, float | None]) -> tuple[FairEngine, LimitedEngine]:
    """An engine with places that are held by a client each, and end after so many seconds."""
    engine = FairEngine(inner := LimitedEngine(limit))
    for name, seconds in held:
        ask(engine, inner, name, seconds)
    return engine, inner


def open_after_returns(limit: int, lasting: Mapping[str, float]) -> tuple[FairEngine, LimitedEngine]:
    """An engine that each client has asked three times, half a second after its answer of so many seconds."""
    now = [100.0]
    engine = FairEngine(inner := LimitedEngine(limit), lambda: now[0])
    for _ in range(3):
        for name, seconds in lasting.items():
            ask(engine, inner, name, seconds)
        now[0] += max(lasting.values())
        for ticket in inner.tickets[-len(lasting) :]:
            ticket.finish()
        now[0] += 0.5
    return engine, inner


def ask(engine: FairEngine, inner: LimitedEngine, name: str, seconds: float | None) -> None:
    """A request that ends after so many seconds."""
    Run(engine, Request("hi", client=make_client(name)))
    inner.tickets[-1].remaining = seconds


def refuse(engine: FairEngine | MeteredEngine, name: str, places: int = 1) -> Overloaded:
    with pytest.raises(Overloaded) as refusal:
        Run.start_all(engine, [Request("hi", client=make_client(name))] * places)
    return refusal.value


def test_a_newcomer_waits_for_the_first_place_of_anybody_and_the_sentence_has_the_seconds() -> None:
    engine, _ = open_held(3, ("a", 5.0), ("b", 3.21), ("c", 9.0))
    refusal = refuse(MeteredEngine(engine), "new")
    assert refusal.retry_after == 3.21
    assert str(refusal).endswith("try again in about 3.2 s.")


def test_a_client_that_has_its_share_waits_until_its_share_is_larger() -> None:
    engine, _ = open_held(4, ("a", 5.0), ("a", 7.0), ("b", 1.0), ("c", 3.0))
    assert engine.find_wait(make_client("a")) == 5.0  # one place of its own, and three free ones


def test_several_places_are_waited_for_together() -> None:
    engine, _ = open_held(8, *((name, 1.0 + number) for number, name in enumerate("abcdef")))
    assert refuse(engine, "new", places=2).retry_after == 1.0
    assert refuse(engine, "new", places=3).retry_after == 3.0


def test_where_nobody_knows_how_long_others_take_nothing_is_said() -> None:
    engine, _ = open_held(2, ("a", None), ("b", None))
    refusal = refuse(engine, "new")
    assert refusal.retry_after is None
    assert "in a few seconds" in str(refusal)


def test_a_client_that_always_asks_again_is_not_expected_to_leave_its_place() -> None:
    engine, inner = open_held(5, ("mine", 9.0), ("mine", 9.5), ("loop", 0.5))
    assert engine.find_wait(make_client("mine")) == 0.5
    for _ in range(2):
        inner.tickets[-1].finish()
        Run(engine, Request("hi", client=make_client("loop")))
    inner.tickets[-1].remaining = 0.5
    assert engine.find_wait(make_client("mine")) == 0.5  # for a moment
    inner.tickets[-1].remaining = 9.2
    Run(engine, Request("hi", client=make_client("other")))
    inner.tickets[-1].remaining = 0.1
    assert engine.find_wait(make_client("mine")) == 9.0


def test_a_client_that_always_asks_again_is_expected_back_after_an_answer() -> None:
    engine, inner = open_after_returns(5, {"loop": 20.0})
    for seconds in (9.0, 9.5, 9.8):
        ask(engine, inner, "mine", seconds)
    assert engine.find_wait(make_client("mine")) == 9.5


def test_a_place_is_free_in_the_usual_pause_of_a_client_that_always_asks_again() -> None:
    engine, inner = open_after_returns(6, {"one": 2.0, "two": 2.0})
    for seconds in (4.0, 9.0, 9.5):
        ask(engine, inner, "mine", seconds)
    # Both are expected now, until 2.0, and from 2.5 to 4.5: after 4.0 there are two places of mine, and two are free.
    assert engine.find_wait(make_client("mine")) == 4.5


def test_a_client_that_finds_no_place_gives_none_back() -> None:
    engine, inner = open_after_returns(2, {"loop": 1.0})
    ask(engine, inner, "one", 2.0)
    ask(engine, inner, "two", 9.0)
    assert engine.find_wait(make_client("new")) == 2.0


def test_a_client_in_a_hurry_hides_no_end() -> None:
    engine, inner = open_held(4, ("mine", 9.0), ("mine", 9.5))
    for _ in range(3):
        ask(engine, inner, "loop", 0.0)
        inner.tickets[-1].finish()
    ask(engine, inner, "other", 7.0)
    assert engine.find_wait(make_client("mine")) == 9.0


def test_a_client_that_asks_soon_after_its_answer_returns_and_one_that_stays_away_does_not() -> None:
    clients = ReturningClients[str]()
    clients.note_request("a", "first", 0.0)
    for now in (1.0, 2.0):
        assert clients.find("a") is None
        clients.note_end("a", now)
        clients.note_request("a", f"at {now}", now + SOON / 2)
    habit = clients.find("a")
    assert habit is not None
    assert (habit.asked, habit.pause) == ("at 2.0", SOON / 2)
    clients.note_end("a", 3.0)
    ((client, habit),) = clients.list_away(3.1)
    assert (client, habit.seconds) == ("a", 0.5)
    assert habit.find_back(3.1) == pytest.approx(SOON / 2 - 0.1)
    assert not clients.list_away(3.0 + 2 * SOON)
    for now in (10.0, 20.0):
        clients.note_request("a", "late", now)
        clients.note_end("a", now + 1.0)
    assert clients.find("a") is None
    assert clients.find(None) is None


def test_a_sandbox_says_when_its_own_slots_are_expected_to_be_free() -> None:
    sandbox = Sandbox(inner := LimitedEngine(), 2)
    for seconds in (4.0, 2.0):
        Run(sandbox, Request("hi"))
        inner.tickets[-1].remaining = seconds
    with pytest.raises(Overloaded, match="Try again in about 2 s") as refusal:
        sandbox.admit()
    assert refusal.value.retry_after == 2.0
    with pytest.raises(Overloaded) as refusal:
        Run.start_all(sandbox, [Request("hi")] * 2)
    assert refusal.value.retry_after == 4.0
