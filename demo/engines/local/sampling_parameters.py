"""The sampling parameters of many requests as tensors, one row for each request."""

from collections.abc import Sequence
from enum import Flag, auto
from typing import Final, NamedTuple

import torch
from torch import Tensor

from demo.engines.local.async_copy import send
from demo.request import Sampling

NO_TOP_K: Final = 2**24  # more than any vocabulary; float32 holds every smaller whole number exactly
NEVER_REACHED: Final = 2.0  # a probability


class Feature(Flag):
    """The operations of sampling that only some requests need."""

    NONE = 0
    REPETITION = auto()
    FREQUENCY = auto()
    PRESENCE = auto()
    PENALTIES = REPETITION | FREQUENCY | PRESENCE
    TEMPERATURE = auto()
    TOP_K = auto()
    TOP_P = auto()
    MIN_P = auto()
    TYPICAL_P = auto()
    DRAW = auto()
    ALTERNATIVES = auto()  # the likeliest tokens beside the sampled one


def find_features(sampling: Sampling, top_n: int = 0) -> Feature:
    needed = {
        Feature.REPETITION: sampling.repetition_penalty != 1.0,
        Feature.FREQUENCY: sampling.frequency_penalty != 0.0,
        Feature.PRESENCE: sampling.presence_penalty != 0.0,
        Feature.TEMPERATURE: sampling.temperature != 1.0,
        Feature.TOP_K: sampling.top_k is not None,
        Feature.TOP_P: sampling.top_p is not None,
        Feature.MIN_P: sampling.min_p is not None,
        Feature.TYPICAL_P: sampling.typical_p is not None,
        Feature.DRAW: sampling.is_random,
        Feature.ALTERNATIVES: top_n > 0,
    }
    return Feature(sum(feature.value for feature, is_needed in needed.items() if is_needed))


class SamplingParameters(NamedTuple):
    """Float32 columns [rows, 1]; where a request does not set a parameter, its value changes no logit."""

    is_random: Tensor  # 1 where the token is drawn, 0 where it is the likeliest
    temperature: Tensor
    top_k: Tensor
    top_p: Tensor
    min_p: Tensor  # 0 removes nothing
    typical_p: Tensor
    repetition_penalty: Tensor  # positive logits are divided by it, negative ones multiplied
    frequency_penalty: Tensor  # subtracted for each occurrence
    presence_penalty: Tensor  # subtracted once


def split_columns(numbers: Tensor) -> SamplingParameters:
    """Views of the columns of `numbers` [rows, 9]."""
    return SamplingParameters(*numbers.split(1, dim=-1))


def stack_parameters(samplings: Sequence[Sampling], device: torch.device) -> Tensor:
    """The columns of SamplingParameters beside each other, float32 [rows, 9] on the device."""
    rows = [
        (
            each.is_random,
            each.temperature,
            min(each.top_k or NO_TOP_K, NO_TOP_K),
            each.top_p or NEVER_REACHED,
            each.min_p or 0.0,
            each.typical_p or NEVER_REACHED,
            each.repetition_penalty,
            each.frequency_penalty,
            each.presence_penalty,
        )
        for each in samplings
    ]
    return send(torch.tensor(rows, dtype=torch.float32), device)
