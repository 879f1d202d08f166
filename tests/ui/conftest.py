"""What tests of the page's rooms share: an engine that tests drive by hand, and a session."""

import pytest

from demo.ui.session import Session
from tests.scripted import ScriptedEngine


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine()


@pytest.fixture
def session() -> Session:
    return Session()
