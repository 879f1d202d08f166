"""The operations between matrix products, against PyTorch's own."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from demo.engines.local.runners.cpu_llama.kernels import entry
from demo.engines.local.runners.cpu_llama.kernels.activations import (
    BIAS,
    GROUP,
    GROUP_BYTES,
    SCALE,
    SUM,
    exp,
    quantize_q8,
    rms_norm,
    silu_mul,
)
from demo.engines.local.runners.cpu_llama.kernels.memory import load_floats, store_floats

LENGTH = 96
BROKEN = [float("nan"), float("inf"), float("-inf")]
KERNELS: Any = (rms_norm, silu_mul, quantize_q8)
call_rms_norm, call_silu_mul, call_quantize_q8 = (entry(kernel.py_func) for kernel in KERNELS)  # from Python


@entry
def call_exp(x: int, out: int) -> None:
    store_floats(out, exp(load_floats(x)))


def make(seed: int, scale: float = 1) -> Tensor:
    return scale * torch.randn(LENGTH, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("scale", [1e-3, 1, 1e3])
def test_rms_norm_is_that_of_pytorch(scale: float) -> None:
    x, weight, out = make(0, scale), make(1), torch.empty(LENGTH)
    call_rms_norm(x.data_ptr(), weight.data_ptr(), 1e-5, LENGTH, out.data_ptr())
    torch.testing.assert_close(out, functional.rms_norm(x, [LENGTH], weight, 1e-5), rtol=1e-5, atol=0)


@pytest.mark.parametrize("scale", [1, 20, 1000])
def test_the_silu_gate_is_that_of_pytorch(scale: float) -> None:
    x, up, out = make(0, scale), make(1), torch.empty(LENGTH)
    call_silu_mul(x.data_ptr(), up.data_ptr(), LENGTH, out.data_ptr())
    torch.testing.assert_close(out, functional.silu(x) * up, rtol=1e-5, atol=1e-30)


def test_the_exponential_is_within_two_roundings() -> None:
    for first in np.arange(-86, 86, 0.37):
        x = np.linspace(first, first + 0.37, 16, dtype=np.float32)
        out = np.empty(16, np.float32)
        call_exp(x.ctypes.data, out.ctypes.data)
        np.testing.assert_allclose(out, np.exp(x.astype(np.float64)), rtol=2.0**-22)


def test_the_exponential_of_numbers_far_below_zero_is_nearly_zero() -> None:
    x, out = np.array([-np.inf, -1000, -88, 0] * 4, np.float32), np.empty(16, np.float32)
    call_exp(x.ctypes.data, out.ctypes.data)
    assert out.reshape(4, 4)[:, :3].max() < 1e-37
    assert (out.reshape(4, 4)[:, 3] == 1).all()


def quantize(x: Tensor) -> NDArray[np.uint8]:
    out = np.empty((LENGTH // GROUP, GROUP_BYTES), np.uint8)
    call_quantize_q8(x.data_ptr(), LENGTH, out.ctypes.data)
    return out


def test_groups_are_quantized_to_the_nearest_with_their_sums() -> None:
    x = make(3)
    groups = quantize(x)
    values = groups[:, :GROUP].view(np.int8).astype(np.int64)
    scales = groups[:, SCALE : SCALE + 4].copy().view(np.float32)
    sums = groups[:, SUM : SUM + 4].copy().view(np.float32)
    biases = groups[:, BIAS : BIAS + 4].copy().view(np.int32)
    exact = x.numpy().reshape(-1, GROUP)
    assert np.abs(values).max(axis=1).tolist() == [127] * len(groups)
    assert (np.abs(values * scales - exact) <= scales * 0.50001).all()
    np.testing.assert_allclose(sums[:, 0], scales[:, 0] * values.sum(axis=1), rtol=1e-6)
    assert biases[:, 0].tolist() == (-128 * values.sum(axis=1)).tolist()


@pytest.mark.parametrize("number", [0, 1e-38, 1e-45])
def test_a_group_of_zeros_or_of_tiny_numbers_has_zeros_and_the_sum_zero(number: float) -> None:
    groups = quantize(torch.tensor([number, 0, -number] * (LENGTH // 3)))
    assert not groups[:, :GROUP].any()
    assert not groups[:, SUM : BIAS + 4].any()


@pytest.mark.parametrize("number", BROKEN)
@pytest.mark.parametrize("place", [0, 17, 31])
def test_only_the_group_of_a_number_that_is_not_finite_has_the_scale_nan(number: float, place: int) -> None:
    x = make(3)
    expected = quantize(x)
    x[GROUP + place] = number
    groups = quantize(x)
    for at in (SCALE, SUM):
        assert np.isnan(groups[1, at : at + 4].view(np.float32)).all()
    assert (groups[[0, 2], : BIAS + 4] == expected[[0, 2], : BIAS + 4]).all()


@pytest.mark.parametrize("number", [*BROKEN, 1e30])
def test_rms_norm_is_nan_where_the_sum_of_squares_is_not_finite(number: float) -> None:
    x, out = make(0), torch.empty(LENGTH)
    x[40] = number
    call_rms_norm(x.data_ptr(), make(1).data_ptr(), 1e-5, LENGTH, out.data_ptr())
    assert out.isnan().all()


def test_the_exponential_of_nan_is_nan_in_its_lane_alone() -> None:
    x, out = np.array([np.nan, 0] * 8, np.float32), np.empty(16, np.float32)
    call_exp(x.ctypes.data, out.ctypes.data)
    assert np.isnan(out[::2]).all()
    assert (out[1::2] == 1).all()
