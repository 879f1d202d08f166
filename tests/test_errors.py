"""The errors that a client receives for a failure."""

import errno
import mmap
from collections.abc import Callable

import pytest
import torch

from demo.errors import describe_failure

TOO_MUCH = 2**50  # bytes, or numbers: more than any system maps


@pytest.mark.parametrize(
    "allocate",
    [lambda: bytearray(2**62), lambda: mmap.mmap(-1, TOO_MUCH), lambda: torch.empty(TOO_MUCH)],
    ids=["bytearray", "mmap", "torch"],
)
def test_an_allocation_that_fails_is_an_out_of_memory_error(allocate: Callable[[], object]) -> None:
    with pytest.raises((MemoryError, OSError, RuntimeError)) as refusal:
        allocate()
    assert "out of memory. Ask for a shorter answer" in str(describe_failure(refusal.value))


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        OSError(errno.ENOMEM, "Nicht genügend Hauptspeicher verfügbar"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: error code 12"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8589934592 bytes."),
        RuntimeError("unable to mmap 98362432 bytes from file <model.safetensors>: Cannot allocate memory (12)"),
        RuntimeError("std::bad_alloc"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("MPS backend out of memory (MPS allocated: 17.93 GiB, max allowed: 18.13 GiB)."),
        RuntimeError("Invalid buffer size: 24.00 GiB"),
        RuntimeError("Native API failed. Native API returns: 39 (UR_RESULT_ERROR_OUT_OF_DEVICE_MEMORY)"),
    ],
    ids=str,
)
def test_every_wording_of_it_and_every_error_that_it_causes_is_known(error: Exception) -> None:
    outer = RuntimeError("the forward pass failed")
    outer.__cause__ = error
    for described in (describe_failure(error), describe_failure(outer)):
        assert "out of memory. Ask for a shorter answer" in str(described)


@pytest.mark.parametrize("error", [OSError(errno.EACCES, "no"), ValueError("the logits are not numbers"), KeyError()])
def test_an_error_that_is_not_about_memory_keeps_its_own_words(error: Exception) -> None:
    described = str(describe_failure(error))
    assert "memory" not in described
    assert str(error) in described
    assert "Try again" in described
