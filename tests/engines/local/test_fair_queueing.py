"""The rows of a step are shared: one client with many requests gets as many tokens as one with a single request."""

from collections import Counter, deque

import pytest

from demo.client_key import make_client_key
from demo.engine import Load, Log, Ticket
from demo.engines.fair_engine import FairEngine
from demo.engines.local.fair_queueing import KEPT, ClientService
from demo.engines.local.runner import Limits
from demo.errors import Overloaded
from demo.request import Request
from demo.run import Run
from tests.engines.local.answers import count_tokens
from tests.engines.local.test_scheduler import Scene
from tests.scripted import ScriptedEngine

LIMIT = 64
STEPS = 1500
FEW, MANY = Limits(efficient_decodes=8), Limits(efficient_decodes=LIMIT)


class SteppedEngine(ScriptedEngine):
    """The real scheduler over a runner that counts; the test runs its steps."""

    def __init__(self, limits: Limits) -> None:
        super().__init__()
        self.scene = Scene(limits)

    @property
    def load(self) -> Load:
        return Load(0, 0, LIMIT, 0.0)

    def submit(self, request: Request, log: Log) -> Ticket:
        scheduler = self.scene.scheduler
        assert len(scheduler.running) + len(scheduler.waiting) < LIMIT
        return self.scene.add(request, 20, log)


class Visitor:
    """A client that keeps so many requests open as it is allowed, of so many tokens each."""

    def __init__(self, name: str, requests: int, tokens: int) -> None:
        self.client = make_client_key(name, "address")
        self.refused = 0
        self._requests = requests
        self._tokens = tokens
        self._open: deque[Run] = deque()
        self._read = 0  # tokens of those that have ended

    def ask(self, engine: FairEngine) -> None:
        """Replace the requests that have ended."""
        for run in [run for run in self._open if run.end is not None]:
            self._open.remove(run)
            self._read += count_tokens(run)
        try:
            while len(self._open) < self._requests:
                self._open.append(Run(engine, Request("x", self._tokens, client=self.client, ignore_eos=True)))
        except Overloaded:
            self.refused += 1

    @property
    def tokens(self) -> int:
        """How many it has been served."""
        return self._read + sum(map(count_tokens, self._open))


def serve(limits: Limits, visitors: list[Visitor]) -> list[int]:
    """The tokens of each visitor after so many steps."""
    stepped = SteppedEngine(limits)
    engine = FairEngine(stepped)
    for _ in range(STEPS):
        for visitor in visitors:
            visitor.ask(engine)
        assert stepped.scene.step() is not None
    return [visitor.tokens for visitor in visitors]


def compute_jain(served: list[int]) -> float:
    """1 where all get the same, 1 / n where one gets all (Jain, Chiu and Hawe, 1984)."""
    return sum(served) ** 2 / (len(served) * sum(each**2 for each in served))


@pytest.mark.parametrize("tokens", [40, 200])
def test_jains_index_of_the_tokens_of_one_greedy_client_and_twenty_others_is_near_one(tokens: int) -> None:
    greedy, others = Visitor("greedy", LIMIT, 4000), [Visitor(str(at), 1, tokens) for at in range(20)]
    served = serve(FEW, [greedy, *others])
    assert greedy.refused
    assert not any(other.refused for other in others)
    assert compute_jain(served) >= 0.95, served


def test_where_more_rows_cost_nothing_all_decode_and_the_others_get_a_token_of_each_step() -> None:
    greedy, others = Visitor("greedy", LIMIT, 4000), [Visitor(str(at), 1, 200) for at in range(20)]
    _, *served = serve(MANY, [greedy, *others])
    assert min(served) >= 0.9 * STEPS


def list_decoded(counts: dict[str, int], steps: int) -> list[Counter[str]]:
    """The rows of each client, of the last steps."""
    scene = Scene(FEW)
    sequences = [scene.ask(1, 10_000, client) for client, count in counts.items() for _ in range(count)]
    while not all(sequence.output.generated for sequence in sequences):
        scene.step()
    begin = len(scene.plans)
    for _ in range(steps):
        scene.step()
    plans = scene.plans[begin:]
    return [Counter(str(part.sequence.request.client) for part in plan.parts) for plan in plans]


@pytest.mark.parametrize(
    ("counts", "rows"),
    [
        ({"a": 32}, {"a": 32}),
        ({"a": 7, "b": 1}, {"a": 7, "b": 1}),
        ({"a": 32, "b": 1}, {"a": 4, "b": 1}),
        ({"a": 16, "b": 16}, {"a": 16, "b": 16}),
        ({"a": 30, "b": 9, "c": 3}, {"a": 6, "b": 9, "c": 3}),
        ({"a/1": 20, "a/2": 20, "b/1": 1}, {"a/1": 2, "a/2": 2, "b/1": 1}),
        ({"a/1": 20, "a/2": 1}, {"a/1": 4, "a/2": 1}),
    ],
)
def test_a_client_decodes_as_much_as_the_others_or_its_part(counts: dict[str, int], rows: dict[str, int]) -> None:
    assert list_decoded(counts, steps=1) == [Counter(rows)]


def test_an_address_that_invents_clients_decodes_no_more_than_three_and_all_of_them_take_turns() -> None:
    *plans, _ = list_decoded({**{f"a/{number}": 1 for number in range(30)}, "b/1": 1, "c/1": 1}, steps=41)
    invented: Counter[str] = Counter()
    for plan in plans:
        assert (plan.pop("b/1"), plan.pop("c/1"), plan.total()) == (1, 1, 3)
        invented += plan
    assert set(invented.values()) == {4}


def test_the_sequences_of_a_client_take_turns() -> None:
    scene = Scene(FEW)
    greedy = [scene.ask(1, 10_000, "a") for _ in range(12)]
    scene.ask(1, 10_000, "b")
    while not all(sequence.output.generated for sequence in greedy):
        scene.step()
    before = [sequence.output.generated for sequence in greedy]
    for _ in range(300):
        scene.step()
    gained = {sequence.output.generated - earlier for sequence, earlier in zip(greedy, before, strict=True)}
    assert gained == {100}


def test_on_a_server_that_is_never_idle_clients_of_long_ago_are_forgotten() -> None:
    service = ClientService()
    for number in range(20 * KEPT):
        service.note(number, 1, now=0.1 * number)
    assert len(service._service) <= KEPT + 1
    assert service.find(20 * KEPT - 1, 0.1 * 20 * KEPT) > 0.9
