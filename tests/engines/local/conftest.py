"""Engines of tiny models, closed when their test ends, and the embedded model in float32."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TypeAlias

import pytest
import torch

from demo.embedded import EMBEDDED_PACKAGE, find_embedded
from demo.engine import Loading
from demo.engines.local.engine import LocalEngine
from demo.engines.local.loading.model import load_model
from demo.engines.local.model import Model
from demo.settings import Settings
from tests.engines.local.tiny import make_kind, make_model
from tests.engines.local.watched import PausingRunner, watch

torch.set_num_threads(1)  # several workers share the cores, and threads that wait for each other spin

OpenWorker: TypeAlias = Callable[..., LocalEngine]
Paused: TypeAlias = tuple[LocalEngine, PausingRunner]


@pytest.fixture(scope="session")
def exact() -> Model:
    """The embedded model, unpacked to float32. Where its package is missing this fails: `make test` installs it."""
    assert find_embedded() is not None, f"the package {EMBEDDED_PACKAGE} is missing: run `make test`"
    return load_model(Settings(dtype="float32"), lambda loading: None)


@pytest.fixture
def open_worker() -> Iterator[OpenWorker]:
    """`open_worker(model, limit, clock)` returns an engine as `opened` does."""
    with ExitStack() as stack:
        yield lambda *args, **options: stack.enter_context(opened(*args, **options))


@contextmanager
def opened(
    model: Model | None = None, limit: int = 64, clock: Callable[[], float] = time.perf_counter
) -> Iterator[LocalEngine]:
    """A ready engine, closed at the end."""
    engine = LocalEngine(lambda report: model or make_model(), limit, clock=clock)
    wait_until_loaded(engine)
    yield engine
    engine.close()


@pytest.fixture(params=["llama", "captured"])
def paused(request: pytest.FixtureRequest, open_worker: OpenWorker) -> Paused:
    """An engine whose decode steps wait for the test."""
    model, runner = watch(make_kind(request.param), PausingRunner)
    return open_worker(model), runner


def wait_until_loaded(worker: LocalEngine) -> None:
    """Returns when the engine's status is Ready or Broken."""
    while isinstance(worker.status, Loading):
        worker._thread.join(0.001)
