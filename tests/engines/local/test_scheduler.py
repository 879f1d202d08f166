"""The scheduler over a runner that only counts: plans are legal, budgets hold, no sequence starves."""

from collections.abc import Hashable, Iterator
from collections.abc import Sequence as Ids
from dataclasses import dataclass, replace
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demo.engine import Log
from demo.engines.local.detokenizer import Spelling
from demo.engines.local.output import Output, SampledToken, Vocabulary
from demo.engines.local.runner import Chunk, Handle, Limits
from demo.engines.local.scheduler import ALLOWANCE, Scheduler, StepPlan
from demo.engines.local.sequence import Sequence
from demo.request import Request

VOCABULARY = Vocabulary(lambda ids: "x" * len(ids), lambda id: Spelling("x"), frozenset(), frozenset())
LIMITS = Limits(max_prefill_tokens=128, min_prefill_tokens=4)


@dataclass(eq=False)
class CountedHandle:
    length: int = 0
    reserved: int = 0


class CountingRunner:
    """Counts tokens in place of keys and values."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.limits = limits
        self.used = 0

    def allocate(self, ids: Ids[int], salt: Hashable, reuse: bool) -> Handle | None:
        handle = CountedHandle()
        return handle if self.reserve(handle, len(ids) + 1) else None

    def reserve(self, handle: Handle, tokens: int) -> bool:
        assert isinstance(handle, CountedHandle)
        more = max(tokens - handle.reserved, 0)
        if self.limits.capacity is not None and self.used + more > self.limits.capacity:
            return False
        self.used += more
        handle.reserved += more
        return True

    def execute(self, chunks: Ids[Chunk]) -> None:
        for chunk in chunks:
            handle = chunk.handle
            assert isinstance(handle, CountedHandle)
            assert handle.length + chunk.tokens <= handle.reserved
            handle.length += chunk.tokens

    def free(self, handle: Handle, ids: Ids[int]) -> None:
        assert isinstance(handle, CountedHandle)
        self.used -= handle.reserved
        handle.reserved = 0


class Scene:
    """A scheduler, its clock, and what was planned."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.now = 0.0
        self.runner = CountingRunner(limits)
        self.scheduler = Scheduler(self.runner, lambda: self.now)  # type: ignore[arg-type]
        self.plans: list[StepPlan] = []
        self.ended: list[Sequence] = []
        self._ids = count()

    def ask(self, prompt: int, tokens: int = 1, client: str | None = None) -> Sequence:
        return self.add(Request("x", tokens, client=client, ignore_eos=True), prompt, lambda *events: None)

    def add(self, request: Request, prompt: int, log: Log) -> Sequence:
        ids = [next(self._ids) for _ in range(prompt)]
        output = Output(request, ids, VOCABULARY, log, lambda: self.now, lambda: None)
        sequence = Sequence(request, ids, 0, output, self.now, lambda: None)
        self.scheduler.add(sequence)
        self.now += 1e-6  # no two come at once
        return sequence

    def step(self) -> StepPlan | None:
        """Plan a step, and have every sequence that samples take a token; a prompt token takes 0.5 ms, a row 1 ms."""
        plan = self.scheduler.plan()
        if plan is None:
            return None
        self.check(plan)
        self.plans.append(plan)
        self.runner.execute([part.chunk for part in plan.parts])
        seconds = 0.004 + 0.001 * plan.decoding + 0.0005 * plan.prefill_tokens
        self.now += seconds
        self.scheduler.note(plan, seconds)
        for part in plan.parts:
            if part.samples:
                part.sequence.accept(SampledToken(next(self._ids), 0.0))
            if part.sequence.output.ended:
                self.scheduler.remove(part.sequence)
                self.ended.append(part.sequence)
        return plan

    def check(self, plan: StepPlan) -> None:
        """A plan is legal."""
        parts, limits = plan.parts, self.runner.limits
        assert len({part.sequence for part in parts}) == len(parts)
        assert sum(part.chunk.tokens for part in parts) == plan.decoding + plan.prefill_tokens
        assert plan.prefill_tokens <= max(limits.max_prefill_tokens * 5 // 4, 1)
        for part in parts:
            sequence, chunk = part.sequence, part.chunk
            assert sequence in self.scheduler.running
            assert chunk.handle is sequence.handle
            assert list(chunk.ids) == sequence.ids[chunk.handle.length :][: chunk.tokens]
            assert part.samples == (chunk.handle.length + chunk.tokens == len(sequence.ids))
        assert limits.capacity is None or self.runner.used <= limits.capacity
        assert limits.max_num_seqs is None or len(self.scheduler.running) <= limits.max_num_seqs

    def run(self) -> None:
        """Step until nothing is left."""
        while self.step() is not None:
            pass
        assert not self.scheduler.running
        assert not self.scheduler.waiting
        assert self.runner.used == 0


def wait_for_first(scene: Scene, sequence: Sequence) -> float:
    """Seconds until a sequence has its first token."""
    begin = scene.now
    while not sequence.output.generated:
        assert scene.step() is not None
    return scene.now - begin


def list_prefilled(plans: list[StepPlan]) -> Iterator[tuple[Sequence, int]]:
    for plan in plans:
        for part in plan.parts[plan.decoding :]:
            yield part.sequence, part.chunk.tokens


arrivals = st.lists(
    st.tuples(st.integers(0, 6), st.integers(1, 700), st.integers(1, 40), st.sampled_from("abc")),
    min_size=1,
    max_size=12,
)
limits = st.builds(
    Limits,
    max_num_seqs=st.sampled_from([None, 1, 3]),
    max_prefill_tokens=st.sampled_from([16, 128, 512]),
    capacity=st.sampled_from([None, 800, 2000]),
)


@settings(max_examples=40)
@given(arrivals, limits, st.sets(st.integers(0, 11)))
def test_in_any_order_of_arrivals_every_plan_is_legal_and_every_sequence_ends(
    arrivals: list[tuple[int, int, int, str]], limits: Limits, cancelled: set[int]
) -> None:
    scene, asked = Scene(limits), []
    for pause, prompt, tokens, client in arrivals:
        for _ in range(pause):
            scene.step()
        asked.append(scene.ask(prompt, tokens, client))
        for number in cancelled.intersection(range(len(asked))):
            asked[number].cancelled = True
        scene.scheduler.remove_cancelled()
    scene.run()
    for number, sequence in enumerate(asked):
        if number not in cancelled:
            assert sequence.output.generated == sequence.request.max_new_tokens


def test_a_short_prompt_is_read_before_the_rest_of_a_long_one() -> None:
    alone = Scene()
    seconds = wait_for_first(alone, alone.ask(20))
    scene = Scene()
    long = scene.ask(3400)
    scene.step()
    assert wait_for_first(scene, scene.ask(20)) <= 5 * seconds
    assert not long.output.generated


def test_beside_streams_a_short_prompt_is_read_soon_and_the_streams_are_hardly_slower() -> None:
    scene = Scene()
    streams = [scene.ask(10, 2000) for _ in range(3)]
    for _ in range(50):
        scene.step()
    long = scene.ask(3400)
    scene.step()
    assert wait_for_first(scene, scene.ask(20)) <= 0.1
    wait_for_first(scene, long)
    gaps = sorted(0.004 + 0.001 * plan.decoding + 0.0005 * plan.prefill_tokens for plan in scene.plans[50:])
    assert gaps[int(0.95 * len(gaps))] <= 3 * 0.007
    assert all(stream.output.generated > 100 for stream in streams)


def test_an_endless_series_of_short_prompts_delays_a_long_one_by_no_more_than_half_of_it() -> None:
    scene = Scene()
    long, others = scene.ask(3400), 0
    while not long.output.generated:
        scene.ask(30)
        scene.step()
    others = sum(tokens for sequence, tokens in list_prefilled(scene.plans) if sequence is not long)
    assert others <= ALLOWANCE + 3400 / 2 + 128


def test_twenty_long_prompts_delay_short_ones_by_less_than_a_third_of_a_second() -> None:
    scene = Scene()
    for _ in range(20):
        scene.ask(3400)
        scene.step()
    assert all(wait_for_first(scene, scene.ask(20)) <= 0.3 for _ in range(20))


def test_the_client_with_the_least_service_goes_first() -> None:
    scene = Scene(replace(LIMITS, max_num_seqs=2))
    greedy = [scene.ask(40, 20, "greedy") for _ in range(10)]
    modest = [scene.ask(41, 20, client) for client in ("one", "two")]
    scene.run()
    order = [scene.ended.index(sequence) for sequence in modest]
    assert max(order) <= 5
    assert len(scene.ended) == len(greedy) + len(modest)


def test_an_address_that_invents_a_client_for_each_request_does_not_always_go_first() -> None:
    scene = Scene()
    for number in range(12):
        scene.ask(40, 1, f"greedy/{number}")
    while scene.scheduler.waiting or scene.scheduler.running:
        scene.step()
    modest = scene.ask(100, 1, "modest/1")
    invented = [scene.ask(99, 1, f"greedy/new {number}") for number in range(12)]
    while not modest.output.ended:
        scene.step()
    assert not any(each.output.ended for each in invented)


def test_service_of_long_ago_is_forgotten() -> None:
    scene = Scene(replace(LIMITS, max_num_seqs=1))
    wait_for_first(scene, scene.ask(3000, 1, "once"))
    scene.now += 300
    first, second = scene.ask(20, 1, "once"), scene.ask(21, 1, "new")
    scene.run()
    assert scene.ended[-2:] == [first, second]


def test_where_memory_is_short_the_youngest_is_recomputed_and_the_oldest_never() -> None:
    scene = Scene(replace(LIMITS, capacity=260))
    sequences = [scene.ask(60, 60 + index) for index in range(3)]
    scene.run()
    again = [sequence.prefilled > 60 for sequence in sequences]
    assert not again[0]
    assert any(again)
    assert [sequence.output.generated for sequence in sequences] == [60, 61, 62]


def test_a_request_that_memory_has_no_room_for_waits_and_is_not_overtaken_for_ever() -> None:
    scene = Scene(replace(LIMITS, capacity=1000))
    scene.ask(500, 200)
    scene.step()
    large = scene.ask(800, 1)
    for _ in range(400):
        scene.ask(20, 10)
        scene.step()
    assert large.output.generated == 1


def test_a_prompt_that_a_step_completes_does_not_wait_for_a_chunk_of_a_longer_one() -> None:
    scene = Scene()
    scene.ask(500)
    scene.step()
    short = scene.ask(20)
    plan = scene.step()
    assert plan is not None
    assert [part.sequence for part in plan.parts] == [short]


@pytest.mark.parametrize("rows", [1, 4])
def test_a_prompt_that_cannot_be_cut_is_read_whole(rows: int) -> None:
    scene = Scene(Limits(whole_prompts=True, max_prefill_tokens=10_000))
    for _ in range(rows):
        scene.ask(3000, 5)
    scene.run()
    assert {tokens for _, tokens in list_prefilled(scene.plans)} == {3000}


def test_the_pause_lasts_until_the_next_token_is_due() -> None:
    scene = Scene()
    sequence = scene.ask(5, 3)
    sequence.pace._gap = 0.5
    scene.step()
    assert scene.step() is None
    assert scene.scheduler.pause == pytest.approx(0.5, abs=0.02)
    scene.now += 0.5
    assert scene.scheduler.pause <= 0
    assert scene.step() is not None
