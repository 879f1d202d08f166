"""What a request took is freed with its end, without the collector of cycles: that may come an hour later."""

import gc
import weakref
from collections.abc import Iterator, Sequence

import pytest

from demo.engine import Engine, Log, Ticket
from demo.engines.fair_engine import FairEngine
from demo.engines.metered import MeteredEngine
from demo.engines.wrapper import EngineWrapper
from demo.request import Request, Sampling
from demo.run import Run
from tests.engines.local.conftest import OpenWorker


class WatchingEngine(EngineWrapper):
    """Notes the tickets, and keeps none."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.tickets: list[weakref.ref[Ticket]] = []

    def submit_all(self, requests: Sequence[Request], logs: Sequence[Log]) -> Sequence[Ticket]:
        tickets = super().submit_all(requests, logs)
        self.tickets += map(weakref.ref, tickets)
        return tickets


@pytest.fixture
def without_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def test_an_ended_run_keeps_its_log_and_nothing_of_the_engine(open_worker: OpenWorker, without_collector: None) -> None:
    watching = WatchingEngine(open_worker())
    engine = MeteredEngine(FairEngine(watching))
    kept = [ask(engine), ask(engine, stopped=True)]
    ask(engine)  # the engine's thread has gone on
    assert [ticket() for ticket in watching.tickets[:2]] == [None, None]
    assert all(run.ended for run in kept)
    logs = [weakref.ref(run) for run in kept]
    kept.clear()
    assert [log() for log in logs] == [None, None]


def ask(engine: Engine, stopped: bool = False) -> Run:
    """A run with a penalty, whose sampler holds numbers of the whole vocabulary, read to its end."""
    run = Run(engine, Request("hi", 8, Sampling(repetition_penalty=1.1), ignore_eos=True, client="a/b"))
    reader = run.attach()
    if stopped:
        run.cancel()
    for _ in reader:
        pass
    return run
