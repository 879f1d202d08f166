"""What tests of every folder share."""

import os
from typing import TYPE_CHECKING

import pytest

from demo.settings import Settings

os.environ["HF_HUB_OFFLINE"] = "1"  # no test leaves this machine

if TYPE_CHECKING:
    from demo.engine.model import Model


@pytest.fixture(scope="session")
def embedded() -> "Model":
    """The real embedded model. Where its package is missing this fails: `make test` installs it."""
    from demo.engine.model import load_model
    from demo.engine.source import EMBEDDED_PACKAGE, find_embedded

    assert find_embedded() is not None, f"the package {EMBEDDED_PACKAGE} is missing: run `make test`"
    return load_model(Settings(), lambda loading: None)
