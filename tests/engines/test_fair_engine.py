"""The places of an engine are shared: whatever one client does, another finds one."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.client_key import make_client_key
from demo.engine import Load, Log, Ticket
from demo.engines.fair_engine import FairEngine
from demo.errors import Overloaded
from demo.events import Event
from demo.request import Request
from tests.scripted import ScriptedEngine

LIMIT = 64


class LimitedEngine(ScriptedEngine):
    """Admits `limit` requests, and holds them until a test ends them."""

    def __init__(self, limit: int = LIMIT) -> None:
        super().__init__()
        self.limit = limit

    @property
    def load(self) -> Load:
        return Load(0, 0, self.limit, 0.0)

    def submit(self, request: Request, log: Log) -> Ticket:
        if len([ticket for ticket in self.tickets if not ticket.ended]) >= self.limit:
            raise Overloaded("full")
        return super().submit(request, log)


def ignore(*events: Event) -> None:
    pass


def fill(engine: FairEngine, make_client: Callable[[int], str], attempts: int = 2 * LIMIT) -> list[Ticket]:
    """The requests that are admitted of many."""
    admitted = []
    for number in range(attempts):
        try:
            admitted.append(engine.submit(Request("hi", client=make_client(number)), ignore))
        except Overloaded:
            continue
    return admitted


def ask(address: str, name: str = "one") -> Callable[[int], str]:
    return lambda number: make_client_key(address, "key", name)


def test_a_client_alone_takes_half_of_all_places() -> None:
    assert len(fill(FairEngine(LimitedEngine()), ask("a"))) == LIMIT // 2


@pytest.mark.parametrize("limit", [1, 2, 4, 8])
def test_a_client_alone_has_up_to_four_of_few_places_and_another_gets_the_next_that_is_free(limit: int) -> None:
    engine = FairEngine(inner := LimitedEngine(limit))
    assert len(fill(engine, ask("a"))) == min(limit, 4)
    served = fill(engine, ask("b"), attempts=1)
    inner.tickets[0].finish("eos_token")
    if limit > 1:  # of one place, it is whoever comes first
        served += fill(engine, ask("a"), attempts=1)
    assert len([*served, *fill(engine, ask("b"), attempts=1)]) >= 1
    assert any(ticket.request.client == ask("b")(0) for ticket in inner.tickets)


def test_who_is_refused_before_it_is_known_who_it_is_counts_as_another() -> None:
    engine = FairEngine(inner := LimitedEngine(4))
    fill(engine, ask("a"))
    inner.refusal = Overloaded("full")
    with pytest.raises(Overloaded):
        engine.admit()
    inner.refusal = None
    inner.tickets[0].finish("eos_token")
    assert not fill(engine, ask("a"))
    assert fill(engine, ask("b"), attempts=1)


@given(st.integers(1, 12))
def test_greedy_clients_get_the_same_and_leave_as_much(clients: int) -> None:
    engine = FairEngine(LimitedEngine())
    held = [0] * clients
    for _ in range(LIMIT):
        for client in range(clients):
            held[client] += len(fill(engine, ask(str(client)), attempts=1))
    share = LIMIT // (clients + 1)
    assert all(share <= each <= share + 1 for each in held)
    assert len(fill(engine, ask("newcomer"), attempts=1)) == 1


def test_an_address_that_invents_a_client_for_each_request_leaves_a_quarter() -> None:
    engine = FairEngine(LimitedEngine())
    assert len(fill(engine, lambda number: make_client_key("a", "session", str(number)))) == LIMIT * 3 // 4
    assert len(fill(engine, ask("b"))) == LIMIT // 8


def test_jains_index_of_the_places_that_each_asks_for_is_near_one_for_a_greedy_client_among_twenty() -> None:
    engine = FairEngine(LimitedEngine())
    served = [len(fill(engine, ask("greedy"), attempts=LIMIT)) / LIMIT]
    for number in range(20):  # one request after the other, each with its own
        served += [float(len(fill(engine, ask(str(number)), attempts=1)))]
    # Of what each asked for (Jain, Chiu and Hawe, 1984): the share that it got.
    assert sum(served) ** 2 / (len(served) * sum(share**2 for share in served)) >= 0.95


def test_a_place_is_free_before_the_end_can_be_read() -> None:
    engine = FairEngine(inner := LimitedEngine())
    fill(engine, ask("a"))
    again: list[int] = []

    def note(*events: Event) -> None:
        again.append(len(fill(engine, ask("a"), attempts=1)))

    engine.submit(Request("hi", client=make_client_key("b", "key", "one")), note)
    for ticket in list(inner.tickets):
        ticket.finish("eos_token")
    assert len(fill(engine, ask("c"))) == LIMIT // 2
    assert again


def test_requests_of_this_process_have_no_client_and_no_share() -> None:
    engine = FairEngine(LimitedEngine())
    for _ in range(LIMIT):
        engine.submit(Request("hi"), ignore)
