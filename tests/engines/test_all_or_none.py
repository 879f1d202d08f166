"""Several requests of one call take all their places or none; what can never fit is refused for good."""

from dataclasses import replace
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo import shared_limit
from demo.client_key import make_client_key
from demo.engine import Engine, Log, Ticket
from demo.engines.fair_engine import FairEngine
from demo.engines.metered import MeteredEngine
from demo.engines.replay import Replay, read_recordings
from demo.engines.sandbox import Sandbox
from demo.errors import BadRequest, DemoError, Overloaded
from demo.request import Request
from demo.run import Run
from demo.shared_limit import SharedLimit
from tests.engines.test_fair_engine import LimitedEngine

CLIENT = make_client_key("a", "key", "one")
NEIGHBOUR = make_client_key("b", "key", "two")


def ask(engine: Engine, number: int, client: str | None = CLIENT) -> list[Run]:
    return Run.start_all(engine, [Request("hi", client=client)] * number)


def test_all_are_admitted_with_a_log_each() -> None:
    inner = LimitedEngine(8)
    runs = ask(MeteredEngine(FairEngine(inner)), 3)
    for number, ticket in enumerate(inner.tickets):
        ticket.write(str(number))
    assert [[event.text for event in run.events] for run in runs] == [["0"], ["1"], ["2"]]  # type: ignore[union-attr]


def test_where_some_cannot_be_admitted_none_reaches_the_engine_and_the_refusal_says_what_to_do() -> None:
    engine = FairEngine(inner := LimitedEngine(8))
    ask(engine, 3)
    with pytest.raises(Overloaded, match=r"You have 3 of the server's 8 places, and 5 are left .*: try again when"):
        ask(engine, 2)
    assert len(inner.tickets) == 3
    assert len(ask(engine, 1)) == 1
    assert len(ask(engine, 2, NEIGHBOUR)) == 2


def test_the_places_of_a_call_that_the_engine_refuses_are_all_free_again() -> None:
    class RefusingEngine(LimitedEngine):
        """Refuses the last request of a call."""

        def submit(self, request: Request, log: Log) -> Ticket:
            if len(self.tickets) == 2:
                raise BadRequest("no")
            return super().submit(request, log)

    engine = FairEngine(inner := RefusingEngine(8))
    with pytest.raises(BadRequest):
        ask(engine, 3)
    assert [ticket.cancelled for ticket in inner.tickets] == [True, True]
    assert engine._limits.clients.free == engine._limits.addresses.free == 8
    inner.tickets.clear()
    assert len(ask(engine, 2)) == 2


@pytest.mark.parametrize(
    ("engine", "most"),
    [
        (FairEngine(LimitedEngine(4)), "one client gets at most 4 places of this server's 4"),
        (Sandbox(LimitedEngine(64), 2), "this sandbox has at most 2 places"),
        (Replay(read_recordings(), limit=2), "this server has at most 2 places"),
    ],
)
def test_what_can_never_fit_is_refused_for_good_in_a_sentence_with_the_limit(engine: Engine, most: str) -> None:
    request = replace(read_recordings()[0].request, client=CLIENT)
    with pytest.raises(BadRequest, match=f"5 answers are asked for at once, and {most}: ask for fewer"):
        Run.start_all(engine, [request] * 5)
    assert engine.load.running == 0


@given(st.integers(1, 40), st.integers(0, 40), st.integers(1, 10))
def test_what_was_refused_as_overloaded_is_admitted_when_all_others_have_gone(
    limit: int, held: int, asked: int
) -> None:
    engine = FairEngine(inner := LimitedEngine(limit))
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
    engine = MeteredEngine(FairEngine(LimitedEngine(4)))
    with pytest.raises(BadRequest):
        ask(engine, 5)
    text = engine.metrics.write().decode()
    assert "tgi_request_count 5.0" in text
    assert 'tgi_request_failure{err="validation"} 5.0' in text
