"""Weights rounded to four bits."""

import numpy as np
import torch
from gguf import GGMLQuantizationType, dequantize, quantize
from hypothesis import given
from hypothesis import strategies as st

from demo.engines.local.runners.cpu_llama.weights.rounding import find_four_bits


def restore(weights: torch.Tensor) -> torch.Tensor:
    """What is left of `weights`."""
    values, scales, offsets = find_four_bits(weights)
    assert values.max() <= 15
    rounded: torch.Tensor = values.unflatten(1, (-1, 32)) * scales[..., None] + offsets[..., None]
    return rounded.flatten(1)


@given(st.integers(0, 2**32 - 1), st.sampled_from([1e-4, 0.02, 3.0]))
def test_no_group_is_further_off_than_gguf_rounds_it(seed: int, spread: float) -> None:
    weights = np.random.default_rng(seed).standard_t(5, (4, 96)).astype(np.float32) * spread
    theirs = dequantize(quantize(weights, GGMLQuantizationType.Q4_1), GGMLQuantizationType.Q4_1)
    errors = [
        np.square(rounded - weights).reshape(4, -1, 32).sum(axis=-1)
        for rounded in (restore(torch.from_numpy(weights)).numpy(), theirs)
    ]
    assert (errors[0] <= errors[1] * 1.05).all()
    assert errors[0].sum() < errors[1].sum()


def test_equal_weights_and_zeros_stay() -> None:
    weights = torch.tensor([[0.0] * 32, [0.25] * 32, [-1.5] * 32])
    assert torch.equal(restore(weights), weights)
