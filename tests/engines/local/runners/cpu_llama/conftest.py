"""Tests of the CPU kernels are skipped where the kernels cannot run."""

import pytest

from demo.engines.local.runners.cpu_llama.kernels import find_missing_kernels

INDEPENDENT = ("test_what_a_processor_lacks_is_named", "test_other_systems_than_linux_are_named")


@pytest.fixture(autouse=True)
def _need_kernels(request: pytest.FixtureRequest) -> None:
    if (reason := find_missing_kernels()) and request.node.originalname not in INDEPENDENT:
        pytest.skip(reason)
