"""Requests of the local engine that are refused together, wait in its queue, or ask how long another takes."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from demo.engine import Ticket
from demo.errors import BadRequest, Overloaded
from demo.events import Done, Event, Queued, Started
from demo.request import Request
from demo.run import Run
from tests.engines.local.answers import read
from tests.engines.local.conftest import OpenWorker, Paused
from tests.engines.local.test_pace import Scene
from tests.engines.local.tiny import make_model
from tests.engines.local.watched import PausingRunner, watch


def ask(prompt: str = "hello", tokens: int = 5) -> Request:
    return Request(prompt, tokens, ignore_eos=True)


def test_several_requests_are_admitted_together_or_not_at_all(paused: Paused) -> None:
    engine, runner = paused
    engine._limit = 3
    first = Run.start_all(engine, [ask(), ask()])
    with pytest.raises(Overloaded, match="Model is overloaded: 2 requests"):
        Run.start_all(engine, [ask(), ask()])
    assert engine.load.running + engine.load.waiting == 2
    with pytest.raises(BadRequest, match="4 answers are asked for at once, and this server has at most 3 places"):
        Run.start_all(engine, [ask()] * 4)
    last = Run(engine, ask())
    runner.permits.release(100)
    assert [len(read(run).ids) for run in (*first, last)] == [5, 5, 5]


def test_one_prompt_that_is_too_long_refuses_all_and_holds_no_place(open_worker: OpenWorker) -> None:
    engine = open_worker(limit=3)
    with pytest.raises(BadRequest, match="tokens"):
        Run.start_all(engine, [ask(), ask("x" * 5000)])
    assert engine.load.running + engine.load.waiting == 0
    assert len([read(run).ids for run in Run.start_all(engine, [ask()] * 3)]) == 3


def open_one_row(open_worker: OpenWorker) -> tuple[Scene, PausingRunner]:
    """An engine that answers one request at a time."""
    model, runner = watch(make_model(), PausingRunner)
    runner.limits = replace(runner.limits, max_num_seqs=1)
    return Scene(model, open_worker), runner


def test_requests_that_wait_are_told_how_many_are_before_them(open_worker: OpenWorker) -> None:
    scene, runner = open_one_row(open_worker)
    runs = [Run(scene.engine, ask(tokens=8))]
    runner.start()
    for _ in range(2):
        scene.now += 0.01
        runs.append(Run(scene.engine, ask()))
    scene.now += 0.01
    runner.let(2)
    assert [run.events for run in runs[1:]] == [(), ()]  # they have not waited for long
    scene.now += 1.0
    runner.let(2)
    assert [list_places(run.events) for run in runs] == [[], [0], [1]]
    runner.permits.release(100)
    for run in runs:
        read(run)
        kinds = [type(event) for event in run.events if isinstance(event, Queued | Started | Done)]
        assert kinds == [Queued] * len(list_places(run.events)) + [Started, Done]


def list_places(events: Sequence[Event]) -> list[int]:
    return [event.ahead for event in events if isinstance(event, Queued)]


def test_a_request_under_way_tells_how_long_it_still_takes(open_worker: OpenWorker) -> None:
    scene, runner = open_one_row(open_worker)
    runner.permits.release(1000)
    for length in range(1, 20):
        read(Run(scene.engine, ask("x" * length, 8)))
    while runner.permits.acquire(blocking=False):
        pass
    while runner.arrived.acquire(blocking=False):
        pass
    tickets: list[Ticket] = [scene.engine.submit(ask(tokens=400), lambda *events: None)]
    runner.start()
    for _ in range(20):
        scene.now += 0.1  # a step takes so long
        runner.let(1)
    remaining = tickets[0].find_remaining()
    assert remaining is not None
    assert 19 < remaining < 40
    tickets[0].cancel()
    runner.permits.release(1000)
