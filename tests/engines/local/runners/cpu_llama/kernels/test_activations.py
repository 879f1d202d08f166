"""What lies between the products, against PyTorch's own."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import rms_norm, silu

from demo.engines.local.runners.cpu_llama.kernels import entry, find_missing_kernels
from demo.engines.local.runners.cpu_llama.kernels.activations import (
    BIAS,
    GROUP,
    GROUP_BYTES,
    SCALE,
    SUM,
    exponential,
    gate,
    normalise,
    round_to_bytes,
)
from demo.engines.local.runners.cpu_llama.kernels.memory import load_floats, store_floats

pytestmark = pytest.mark.skipif(find_missing_kernels() != "", reason=find_missing_kernels())

LENGTH = 96


@entry
def call_normalise(x: int, weight: int, epsilon: float, length: int, out: int) -> None:
    normalise(x, weight, epsilon, length, out)


@entry
def call_gate(x: int, up: int, length: int, out: int) -> None:
    gate(x, up, length, out)


@entry
def call_exponential(x: int, out: int) -> None:
    store_floats(out, exponential(load_floats(x)))


@entry
def call_round_to_bytes(x: int, length: int, out: int) -> None:
    round_to_bytes(x, length, out)


def make(seed: int, scale: float = 1) -> Tensor:
    return scale * torch.randn(LENGTH, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("scale", [1e-3, 1, 1e3])
def test_a_vector_is_normalised_as_by_pytorch(scale: float) -> None:
    x, weight, out = make(0, scale), make(1), torch.empty(LENGTH)
    call_normalise(x.data_ptr(), weight.data_ptr(), 1e-5, LENGTH, out.data_ptr())
    torch.testing.assert_close(out, rms_norm(x, [LENGTH], weight, 1e-5), rtol=1e-5, atol=0)


@pytest.mark.parametrize("scale", [1, 20, 1000])
def test_a_vector_is_gated_as_by_pytorch(scale: float) -> None:
    x, up, out = make(0, scale), make(1), torch.empty(LENGTH)
    call_gate(x.data_ptr(), up.data_ptr(), LENGTH, out.data_ptr())
    torch.testing.assert_close(out, silu(x) * up, rtol=1e-5, atol=1e-30)


def test_the_exponential_is_within_two_roundings() -> None:
    for first in np.arange(-86, 86, 0.37):
        x = np.linspace(first, first + 0.37, 16, dtype=np.float32)
        out = np.empty(16, np.float32)
        call_exponential(x.ctypes.data, out.ctypes.data)
        np.testing.assert_allclose(out, np.exp(x.astype(np.float64)), rtol=2.0**-22)


def test_the_exponential_of_what_is_far_away_stays_a_number() -> None:
    x, out = np.array([-np.inf, -1000, -88, 0] * 4, np.float32), np.empty(16, np.float32)
    call_exponential(x.ctypes.data, out.ctypes.data)
    assert out.reshape(4, 4)[:, :3].max() < 1e-37
    assert (out.reshape(4, 4)[:, 3] == 1).all()


def round_vector(x: Tensor) -> NDArray[np.uint8]:
    out = np.empty((LENGTH // GROUP, GROUP_BYTES), np.uint8)
    call_round_to_bytes(x.data_ptr(), LENGTH, out.ctypes.data)
    return out


def test_groups_are_rounded_to_the_nearest_and_know_their_sums() -> None:
    x = make(3)
    groups = round_vector(x)
    values = groups[:, :GROUP].view(np.int8).astype(np.int64)
    scales = groups[:, SCALE : SCALE + 4].copy().view(np.float32)
    sums = groups[:, SUM : SUM + 4].copy().view(np.float32)
    biases = groups[:, BIAS : BIAS + 4].copy().view(np.int32)
    exact = x.numpy().reshape(-1, GROUP)
    assert np.abs(values).max(axis=1).tolist() == [127] * len(groups)
    assert (np.abs(values * scales - exact) <= scales * 0.50001).all()
    np.testing.assert_allclose(sums[:, 0], scales[:, 0] * values.sum(axis=1), rtol=1e-6)
    assert biases[:, 0].tolist() == (-128 * values.sum(axis=1)).tolist()


def test_a_group_of_zeros_is_zeros() -> None:
    assert not round_vector(torch.zeros(LENGTH))[:, : BIAS + 4].any()
