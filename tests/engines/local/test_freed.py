"""What a request took is freed with its end, without the collector of cycles: that may come an hour later.

A model that broke is freed before it is loaded again.
"""

import gc
import sys
import threading
import weakref
from collections.abc import Iterator, Sequence
from types import ModuleType, SimpleNamespace
from typing import cast

import pytest

from demo.engine import Engine, Log, Ready, Ticket
from demo.engines.fair_engine import FairEngine
from demo.engines.local.engine import LocalEngine, release_memory
from demo.engines.local.model import Model
from demo.engines.metered import MeteredEngine
from demo.engines.reloading import Backoff, ReloadingEngine
from demo.engines.wrapper import EngineWrapper
from demo.events import Done, Failed
from demo.request import Request, Sampling
from demo.run import Run
from tests.engines.local.answers import read
from tests.engines.local.conftest import OpenWorker
from tests.engines.local.tiny import make_model
from tests.engines.local.watched import UnfreeableRunner, WatchedRunner, watch


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


def test_a_model_that_broke_is_out_of_memory_before_it_is_loaded_again(caplog: pytest.LogCaptureFixture) -> None:
    models: list[weakref.ref[WatchedRunner]] = []
    alive: list[bool] = []
    loaded = threading.Semaphore(0)

    def load(report: object) -> Model:
        alive.append(any(each() is not None for each in models))
        model, runner = watch(make_model(), WatchedRunner if models else UnfreeableRunner)
        models.append(weakref.ref(runner))
        gc.freeze()  # as the program does
        loaded.release()
        return model

    def release() -> None:
        for record in caplog.records:
            record.exc_info = None  # pytest keeps it, and with it the frames of the broken engine
        release_memory()

    engine = ReloadingEngine(lambda on_broken: LocalEngine(load, 4, on_broken), Backoff(0.01, 1.0), release)
    assert loaded.acquire(timeout=20)
    wait_until_ready(engine)
    # In one call: the first has ended, and broken the model, before another call might begin.
    runs = Run.start_all(engine, [Request("hello", tokens, ignore_eos=True) for tokens in (3, 50)])
    assert isinstance(read(runs[1]).events[-1], Failed)
    assert loaded.acquire(timeout=20)
    wait_until_ready(engine)
    assert isinstance(read(Run(engine, Request("hello", 3, ignore_eos=True))).events[-1], Done)
    assert alive == [False, False]
    engine.close()


class Circle:
    """An object that only the garbage collector frees."""

    def __init__(self) -> None:
        self.itself = self


def test_what_was_frozen_after_loading_is_freed_the_collector_works_again_and_the_gpus_cache_is_emptied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gc.disable()  # as while a model loads
    model = weakref.ref(Circle())
    emptied: list[bool] = []
    cuda = SimpleNamespace(is_initialized=lambda: True, empty_cache=lambda: emptied.append(model() is None))
    monkeypatch.setitem(sys.modules, "torch", cast(ModuleType, SimpleNamespace(cuda=cuda)))
    try:
        gc.freeze()
        release_memory()
        assert gc.isenabled()
    finally:
        gc.unfreeze()
        gc.enable()
    assert emptied == [True]


def wait_until_ready(engine: ReloadingEngine) -> None:
    while not isinstance(engine.status, Ready):
        engine._thread.join(0.001)
