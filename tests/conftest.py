"""What tests of every folder share."""

import gc
import os
from typing import Final

import pytest
from hypothesis import settings

os.environ["HF_HUB_OFFLINE"] = "1"  # no test leaves this machine
gc.disable()  # until all is imported: that leaves no garbage, and its collection takes a fifth of the time
# No deadline: how long an example takes depends on who else computes.
settings.register_profile("patient", deadline=None, max_examples=40)
settings.load_profile("patient")

LONGEST: Final = ("tests/browser/", "tests/test_app.py", "tests/clients/", "tests/engines/")


@pytest.fixture
def anyio_backend() -> str:
    """anyio's pytest plugin runs the tests that are marked `anyio`."""
    return "asyncio"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first: workers that take files in this order end at about the same time."""
    items.sort(key=lambda item: _rank(item.nodeid))


def pytest_collection_finish() -> None:
    """What has been imported stays: no later collection looks at it."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="module", autouse=True)
def _young_heap() -> None:
    """A file's collections look at what it has made, not at what is imported for earlier ones."""
    gc.collect()
    gc.freeze()


def _rank(nodeid: str) -> int:
    return next((rank for rank, start in enumerate(LONGEST) if nodeid.startswith(start)), len(LONGEST))
