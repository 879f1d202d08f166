"""The backend of async tests; and a room's clock that does not keep them waiting."""

import pytest

from demo.room import registry


@pytest.fixture
def anyio_backend() -> str:
    """anyio's pytest plugin runs the tests that are marked `anyio`."""
    return "asyncio"


@pytest.fixture(autouse=True)
def short_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A teacher is told of changes after a moment, and nobody gets signs of life: a test that waits in vain fails."""
    monkeypatch.setattr(registry, "TICK_SECONDS", 0.01)
    monkeypatch.setattr(registry, "BEAT_TICKS", 1_000_000)
