"""Several requests of one call take all their places or none; what can never fit is refused for good."""

from collections.abc import Callable
from dataclasses import replace
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo import shared_limit
from demo.client_key import make_client_key
from demo.engine import Engine
from demo.engines.fair_engine import FairEngine
from demo.engines.metered import MeteredEngine
from demo.engines.replay import Replay, read_recordings
from demo.engines.sandbox import Sandbox
from demo.errors import BadRequest, DemoError, Overloaded
from demo.request import Request
from demo.run import Run
from demo.shared_limit import SharedLimit
from tests.engines.test_fair_engine import LimitedEngine
from tests.scripted import ScriptedTicket

CLIENT = make_client_key("a", "key", "one")
NEIGHBOUR = make_client_key("b", "key", "two")


def make_inner(limit: int) -> LimitedEngine:
    engine = LimitedEngine()
    engine.limit = limit
    return engine


def ask(engine: Engine, number: int, client: str | None = CLIENT) -> list[Run]:
    return Run.start_all(engine, [Request("hi", client=client)] * number)


def test_all_are_admitted_with_a_log_each() -> None:
    inner = make_inner(8)
    runs = ask(MeteredEngine(FairEngine(inner)), 3)
    for number, ticket in enumerate(inner.tickets):
        ticket.write(str(number))
    assert [[event.text for event in run.events] for run in runs] == [["0"], ["1"], ["2"]]  # type: ignore[union-attr]


def test_where_some_cannot_be_admitted_none_reaches_the_engine() -> None:
    inner = make_inner(8)
    engine = FairEngine(inner)
    ask(engine, 3)
    with pytest.raises(Overloaded, match="You have 3 of the server's 8 places"):
        ask(engine, 2)
    assert len(inner.tickets) == 3
    assert len(ask(engine, 1)) == 1
    assert len(ask(engine, 2, NEIGHBOUR)) == 2


def test_the_places_of_a_call_that_the_engine_refuses_are_all_free_again() -> None:
    class RefusingEngine(LimitedEngine):
        """Refuses the last request of a call."""

        def submit(self, request: Request, log: Callable[..., None]) -> ScriptedTicket:
            if len(self.tickets) == 2:
                raise BadRequest("no")
            ticket = super().submit(request, log)
            assert isinstance(ticket, ScriptedTicket)
            return ticket

    inner = RefusingEngine()
    inner.limit = 8
    engine = FairEngine(inner)
    with pytest.raises(BadRequest):
        ask(engine, 3)
    assert [ticket.cancelled for ticket in inner.tickets] == [True, True]
    inner.tickets.clear()
    assert len(ask(engine, 2)) == 2


def make_fair() -> Engine:
    return FairEngine(make_inner(4))


def make_sandbox() -> Engine:
    return Sandbox(make_inner(64), 2)


def make_replay() -> Engine:
    return Replay(read_recordings(), limit=2)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            make_fair,
            "5 answers are asked for at once, and one client gets at most 4 places of this server's 4: ask for",
        ),
        (make_sandbox, "5 answers are asked for at once, and this sandbox has at most 2 places: ask for fewer"),
        (make_replay, "5 answers are asked for at once, and this server has at most 2 places: ask for fewer"),
    ],
)
def test_what_can_never_fit_is_refused_for_good_in_a_sentence_with_the_limit(
    make: Callable[[], Engine], sentence: str
) -> None:
    engine = make()
    request = replace(read_recordings()[0].request, client=CLIENT)
    with pytest.raises(BadRequest, match=sentence):
        Run.start_all(engine, [request] * 5)
    assert engine.load.running == 0


@given(st.integers(1, 40), st.integers(0, 40), st.integers(1, 10))
def test_what_was_refused_as_overloaded_is_admitted_when_all_others_have_gone(
    limit: int, held: int, asked: int
) -> None:
    engine = FairEngine(inner := make_inner(limit))
    for _ in range(held):
        try:
            ask(engine, 1, NEIGHBOUR)
        except DemoError:
            break
    try:
        ask(engine, asked)
    except Overloaded:
        for ticket in inner.tickets:
            ticket.finish()
        with patch.object(shared_limit, "ALONE_SECONDS", -1.0):  # the neighbour wanted a place long ago
            assert len(ask(engine, asked)) == asked
    except BadRequest:
        assert asked > SharedLimit(limit).count_most()


def test_a_refused_call_is_counted_for_each_of_its_requests() -> None:
    engine = MeteredEngine(FairEngine(make_inner(4)))
    with pytest.raises(BadRequest):
        ask(engine, 5)
    text = engine.metrics.write().decode()
    assert "tgi_request_count 5.0" in text
    assert 'tgi_request_failure{err="validation"} 5.0' in text
