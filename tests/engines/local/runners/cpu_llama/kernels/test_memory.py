"""Numbers are copied, or added to what is there, and nothing beside them is touched."""

import pytest
import torch

from demo.engines.local.runners.cpu_llama.kernels import entry
from demo.engines.local.runners.cpu_llama.kernels.memory import copy_numbers


@entry
def call_copy(source: int, out: int, length: int, add: int) -> None:
    copy_numbers(source, out, length, add)


@pytest.mark.parametrize("length", [0, 3, 16, 37])
@pytest.mark.parametrize("add", [0, 1])
def test_numbers_are_copied_or_added_to_what_is_there(length: int, add: int) -> None:
    source, there = torch.randn(40), torch.randn(40)
    out = there.clone()
    call_copy(source.data_ptr(), out.data_ptr(), length, add)
    assert torch.equal(out[:length], source[:length] + (there[:length] if add else 0))
    assert torch.equal(out[length:], there[length:])
