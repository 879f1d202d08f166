"""Answers with a pace: no token is computed before it is due, and no other answer is slower."""

from dataclasses import replace
from itertools import count, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demo.engines.local.model import Model
from demo.engines.local.pace import CATCH_UP, Pace
from demo.errors import Incomplete
from demo.events import Event, Failed, Started, Token
from demo.request import Request, Sampling
from demo.run import Reader, Run
from tests.engines.local.answers import ask, count_tokens, read
from tests.engines.local.conftest import OpenWorker, opened
from tests.engines.local.tiny import KINDS, make_captured, make_kind, make_model, make_network
from tests.engines.local.watched import WatchedRunner, watch

RANDOM = Sampling(do_sample=True, temperature=1.3, top_k=50, seed=7)


def request(tokens: int, pace: float | None = None, prompt: str = "hello") -> Request:
    return Request(prompt, tokens, ignore_eos=True, pace=pace)


class Scene:
    """An engine whose clock stands still until a test moves it."""

    def __init__(self, model: Model, open_worker: OpenWorker) -> None:
        self.now = 1000.0
        self.engine = open_worker(model, clock=lambda: self.now)

    def advance(self, seconds: float) -> None:
        self.now += seconds
        self.engine._wake()

    def pass_by(self) -> None:
        """Read a short answer to its end: all tokens that are due have been computed by then."""
        assert len(ask(self.engine, request(4))[0].ids) == 4


def read_until(reader: Reader, tokens: int) -> None:
    """Returns when so many more tokens have been read."""
    for batch in reader:
        tokens -= sum(isinstance(event, Token) for event in batch)
        if tokens <= 0:
            return


kinds = pytest.mark.parametrize("kind", KINDS)


@kinds
def test_a_token_is_computed_when_it_is_due_and_not_before_also_beside_others(
    kind: str, open_worker: OpenWorker
) -> None:
    scene = Scene(make_kind(kind), open_worker)
    run = Run(scene.engine, request(5, pace=2))
    reader = run.attach()
    read_until(reader, 1)
    for told in (1, 2, 3, 4):
        scene.pass_by()
        assert count_tokens(run) == told
        scene.advance(0.5)
        read_until(reader, 1)
    times = [event.time for event in run.events if isinstance(event, Token)]
    assert times == [1000.0, 1000.5, 1001.0, 1001.5, 1002.0]


paces = st.sampled_from([None, None, 50.0, 300.0, 2000.0])
schedules = st.lists(st.tuples(st.integers(1, 60), st.integers(1, 12), st.booleans(), paces), min_size=1, max_size=7)


@kinds
@settings(max_examples=2)
@given(schedule=schedules)
def test_a_pace_changes_no_token_of_its_answer_or_of_another(
    kind: str, schedule: list[tuple[int, int, bool, float | None]]
) -> None:
    ticks = count()
    asked = [
        (Request("x" * size, tokens, RANDOM if drawn else Sampling(), ignore_eos=True, pace=pace))
        for size, tokens, drawn, pace in schedule
    ]
    with opened(make_kind(kind), clock=lambda: next(ticks) * 3e-4) as engine:
        together = [answer.ids for answer in ask(engine, *asked)]
        assert together == [ask(engine, replace(each, pace=None))[0].ids for each in asked]


def test_a_run_that_waits_for_its_next_token_is_cancelled_at_once(open_worker: OpenWorker) -> None:
    scene = Scene(make_model(), open_worker)
    run = Run(scene.engine, request(100, pace=1))
    reader = run.attach()
    read_until(reader, 1)
    scene.pass_by()
    reader.close()
    answer = read(run)
    assert (answer.done.finish_reason, answer.done.generated_tokens) == ("cancelled", 1)
    assert scene.engine.load.running == 0


def test_a_run_that_waits_for_its_next_token_counts_as_running_and_keeps_its_row(open_worker: OpenWorker) -> None:
    scene = Scene(make_captured(make_network(), rows=2), open_worker)
    paced = [Run(scene.engine, request(100, pace=1)) for _ in range(2)]
    for run in paced:
        read_until(run.attach(), 1)
    third = Run(scene.engine, request(3))
    assert (scene.engine.load.running, scene.engine.load.waiting) == (2, 1)
    assert third.events == ()
    paced[0].cancel()
    assert len(read(third).ids) == 3
    assert count_tokens(paced[1]) == 1


def test_no_token_of_a_paced_row_is_computed_ahead_while_those_of_others_are(open_worker: OpenWorker) -> None:
    model, runner = watch(make_captured(make_network()), WatchedRunner)
    scene = Scene(model, open_worker)
    slow = Run(scene.engine, request(3, pace=1))
    read_until(slow.attach(), 1)
    assert runner.decode_steps == 0
    assert len(ask(scene.engine, request(100))[0].ids) == 100
    assert (runner.decode_steps, runner.followed) == (99, 99)
    scene.advance(1)
    read_until(slow.attach(), 2)
    assert (runner.decode_steps, runner.followed) == (100, 99)


def test_a_row_slower_than_its_pace_lets_all_look_ahead(open_worker: OpenWorker) -> None:
    (model, runner), ticks = watch(make_captured(make_network()), WatchedRunner), count()
    engine = open_worker(model, clock=lambda: float(next(ticks)))
    assert len(ask(engine, request(50, pace=1e6))[0].ids) == 50
    assert runner.followed > 40


def test_a_failed_step_does_not_end_the_sequences_outside_it(open_worker: OpenWorker) -> None:
    model, runner = watch(make_model(), WatchedRunner)
    scene = Scene(model, open_worker)
    expected = ask(scene.engine, request(4))[0].ids
    slow = Run(scene.engine, request(4, pace=1))
    reader = slow.attach()
    read_until(reader, 1)
    runner.error = RuntimeError("the kernel broke")
    assert isinstance(read(Run(scene.engine, request(9))).events[-1], Failed)
    for _ in range(3):
        scene.advance(1)
        read_until(reader, 1)
    assert read(slow).ids == expected


def test_closing_ends_a_run_that_waits_for_its_next_token(open_worker: OpenWorker) -> None:
    scene = Scene(make_model(), open_worker)
    run = Run(scene.engine, request(100, pace=0.01))
    read_until(run.attach(), 1)
    scene.engine.close()
    final: Event = run.events[-1]
    assert isinstance(run.events[0], Started)
    assert isinstance(final, Failed)
    assert isinstance(final.error, Incomplete)


def schedule_late(pace: Pace, lateness: float) -> list[float]:
    """When tokens come that are each sampled so many seconds after they are due."""
    times = [10.0]
    for _ in range(50):
        pace.note(times[-1])
        times.append(pace.due + lateness)
    return times


@given(st.floats(1, 1000), st.floats(0, CATCH_UP))
def test_small_delays_do_not_add_up(rate: float, lateness: float) -> None:
    times = schedule_late(Pace(rate), lateness)
    assert times[-1] == pytest.approx(10 + 50 / rate + lateness)
    assert all(later - earlier >= 1 / rate - 1e-9 for earlier, later in pairwise(times))


def test_after_a_long_delay_at_most_the_catch_up_time_is_made_up_for() -> None:
    pace = Pace(10)
    pace.note(0.0)
    pace.note(5.0)
    assert pace.due == pytest.approx(5.0 - CATCH_UP + 0.1)


def test_without_a_pace_a_token_is_always_due() -> None:
    pace = Pace(None)
    for moment in (0.0, 0.0, 5.0):
        assert pace.due <= moment
        pace.note(moment)
        assert pace.following <= moment
