"""A room's clock that does not keep tests waiting."""

import pytest

from demo.room import registry


@pytest.fixture(autouse=True)
def short_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A teacher is told of changes after a moment, and nobody gets signs of life: a test that waits in vain fails."""
    monkeypatch.setattr(registry, "TICK_SECONDS", 0.01)
    monkeypatch.setattr(registry, "BEAT_TICKS", 1_000_000)
