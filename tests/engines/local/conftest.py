"""Engines over tiny models, closed when their test ends, and the embedded model in exact numbers."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

import pytest
import torch

from demo.embedded import EMBEDDED_PACKAGE, find_embedded
from demo.engines.local.engine import LocalEngine
from demo.engines.local.model import Model, load_model
from demo.events import Loading
from demo.settings import Settings
from tests.engines.local.tiny import make_model

torch.set_num_threads(1)  # two workers share two cores, and threads that wait for each other spin

OpenWorker: TypeAlias = Callable[..., LocalEngine]


@pytest.fixture(scope="session")
def exact() -> Model:
    """The embedded model, unpacked to float32. Where its package is missing this fails: `make test` installs it."""
    assert find_embedded() is not None, f"the package {EMBEDDED_PACKAGE} is missing: run `make test`"
    return load_model(Settings(dtype="float32"), lambda loading: None)


@pytest.fixture
def open_worker() -> Iterator[OpenWorker]:
    """`open_worker(model, limit)` gives a ready engine."""
    workers: list[LocalEngine] = []

    def open_one(model: Model | None = None, limit: int = 64) -> LocalEngine:
        worker = LocalEngine(lambda report: model or make_model(), limit)
        workers.append(worker)
        wait_until_loaded(worker)
        return worker

    yield open_one
    for worker in workers:
        worker.close()


def wait_until_loaded(worker: LocalEngine) -> None:
    """Returns when the engine's status is Ready or Broken."""
    while isinstance(worker.status, Loading):
        worker._thread.join(0.001)
