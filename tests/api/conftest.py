"""What most tests ask: an API in front of an engine that answers at once. Building one takes a tenth of a second."""

import pytest
from fastapi import FastAPI

from tests.api.script import AnsweringEngine, open_api


@pytest.fixture(scope="package")
def engine() -> AnsweringEngine:
    """Answers HELLO to everybody."""
    return AnsweringEngine()


@pytest.fixture(scope="package")
def app(engine: AnsweringEngine) -> FastAPI:
    """The API in front of `engine`."""
    return open_api(engine)
