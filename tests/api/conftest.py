"""The API that most tests share, since building one takes a tenth of a second."""

import pytest
from fastapi import FastAPI

from demo.api.delivery import streamed
from tests.api.script import AnsweringEngine, open_api


@pytest.fixture(scope="package")
def engine() -> AnsweringEngine:
    """Answers HELLO to every request."""
    return AnsweringEngine()


@pytest.fixture(scope="package")
def app(engine: AnsweringEngine) -> FastAPI:
    """The API in front of `engine`."""
    return open_api(engine)


@pytest.fixture
def keeps_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """A silent stream soon sends a comment."""
    monkeypatch.setattr(streamed, "TICK_SECONDS", 0.005)
    monkeypatch.setattr(streamed, "KEEP_ALIVE_SECONDS", 0.01)
