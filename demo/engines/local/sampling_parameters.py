"""What sampling depends on, as columns of numbers: one row for each request, neutral where it asks for nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Flag, auto
from typing import Final

import torch
from torch import Tensor

from demo.engines.local.async_copy import send
from demo.events import Sampling

NO_TOP_K: Final = 2**24  # more than any vocabulary; float32 holds every smaller whole number exactly
NEVER_REACHED: Final = 2.0  # a probability


class Feature(Flag):
    """The steps of sampling that only some requests take."""

    NONE = 0
    REPETITION = auto()
    FREQUENCY = auto()
    PRESENCE = auto()
    PENALTIES = REPETITION | FREQUENCY | PRESENCE
    TEMPERATURE = auto()
    TOP_K = auto()
    TOP_P = auto()
    TYPICAL_P = auto()
    DRAW = auto()
    ALTERNATIVES = auto()  # the likeliest tokens beside the sampled one


def find_features(sampling: Sampling, top_n: int = 0) -> Feature:
    """What one request takes."""
    taken = {
        Feature.REPETITION: sampling.repetition_penalty != 1.0,
        Feature.FREQUENCY: sampling.frequency_penalty != 0.0,
        Feature.PRESENCE: sampling.presence_penalty != 0.0,
        Feature.TEMPERATURE: sampling.temperature != 1.0,
        Feature.TOP_K: sampling.top_k is not None,
        Feature.TOP_P: sampling.top_p is not None,
        Feature.TYPICAL_P: sampling.typical_p is not None,
        Feature.DRAW: sampling.is_random,
        Feature.ALTERNATIVES: top_n > 0,
    }
    return Feature(sum(feature.value for feature, is_taken in taken.items() if is_taken))


@dataclass(frozen=True, slots=True)
class SamplingParameters:
    """`numbers` float32 [rows, 8], one column for each parameter."""

    numbers: Tensor

    @property
    def is_random(self) -> Tensor:
        """[rows, 1]: whether a row's token is drawn."""
        return self.numbers[:, 0:1] != 0

    @property
    def temperature(self) -> Tensor:
        """[rows, 1], as are those that follow."""
        return self.numbers[:, 1:2]

    @property
    def top_k(self) -> Tensor:
        """Int64."""
        return self.numbers[:, 2:3].long()

    @property
    def top_p(self) -> Tensor:
        """Probabilities."""
        return self.numbers[:, 3:4]

    @property
    def typical_p(self) -> Tensor:
        """Probabilities."""
        return self.numbers[:, 4:5]

    @property
    def repetition_penalty(self) -> Tensor:
        """What positive logits are divided by, and negative ones multiplied."""
        return self.numbers[:, 5:6]

    @property
    def frequency_penalty(self) -> Tensor:
        """Subtracted for each time."""
        return self.numbers[:, 6:7]

    @property
    def presence_penalty(self) -> Tensor:
        """Subtracted once."""
        return self.numbers[:, 7:8]


def stack_parameters(samplings: Sequence[Sampling], device: torch.device) -> SamplingParameters:
    """The parameters of some requests, on the device."""
    numbers = torch.tensor([_list_numbers(each) for each in samplings], dtype=torch.float32)
    return SamplingParameters(send(numbers, device))


def _list_numbers(sampling: Sampling) -> list[float]:
    return [
        sampling.is_random,
        sampling.temperature,
        min(sampling.top_k or NO_TOP_K, NO_TOP_K),
        sampling.top_p or NEVER_REACHED,
        sampling.typical_p or NEVER_REACHED,
        sampling.repetition_penalty,
        sampling.frequency_penalty,
        sampling.presence_penalty,
    ]
