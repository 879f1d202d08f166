"""Engines over tiny models, closed when their test ends."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

import pytest

from demo.engine.model import Model
from demo.engine.worker import Worker
from demo.events import Loading
from tests.engine.tiny import make_model

OpenWorker: TypeAlias = Callable[..., Worker]


@pytest.fixture
def open_worker() -> Iterator[OpenWorker]:
    """`open_worker(model, limit)` gives a ready engine."""
    workers: list[Worker] = []

    def open_one(model: Model | None = None, limit: int = 64) -> Worker:
        worker = Worker(lambda report: model or make_model(), limit)
        workers.append(worker)
        wait_until_loaded(worker)
        return worker

    yield open_one
    for worker in workers:
        worker.close()


def wait_until_loaded(worker: Worker) -> None:
    """Returns when the engine's status is Ready or Broken."""
    while isinstance(worker.status, Loading):
        worker._thread.join(0.001)
