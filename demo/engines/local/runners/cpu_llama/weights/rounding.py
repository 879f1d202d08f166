"""Weights of 16 and 32 bits rounded to fewer at load, in groups of 32 numbers. Knows no file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import torch
from torch import Tensor

from demo.engines.local.runners.cpu_llama.kernels.activations import GROUP
from demo.engines.local.runners.cpu_llama.weights.matrix import Matrix, pack_eight_bits, pack_four_bits, pack_plain
from demo.settings import FOUR_BITS, ROUNDED

Round: TypeAlias = Callable[[Tensor], Matrix]  # of [rows, columns]
Rounded: TypeAlias = tuple[Tensor, Tensor, Tensor, Tensor]  # values, scales, offsets, squared error of each group
RANGES: Final = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75)  # of a group, that 16 values are spread over
LARGEST: Final = 15


@dataclass(frozen=True, slots=True)
class Rounding:
    """How the matrices of a network are rounded, and what that is called."""

    dtype: str
    layers: Round
    head: Round


def choose_plain_packing(round: Round | None) -> Round:
    """How rows of 16 or 32 bits are packed: rounded, or as they are."""
    return pack_plain if round is None else lambda rows: round(rows.float())


def round_to_eight_bits(weights: Tensor) -> Matrix:
    """Round `weights`, float32 [rows, columns], to 8 bits; the largest of each group becomes 127."""
    groups = weights.unflatten(-1, (-1, GROUP))
    scales = (groups.abs().amax(dim=-1) / 127).clamp(min=1e-7).half()
    values = (groups / scales.float()[..., None]).round_().clamp_(-127, 127)
    return pack_eight_bits(values.to(torch.int8).flatten(1), scales)


def round_to_four_bits(weights: Tensor) -> Matrix:
    """Round `weights`, float32 [rows, columns], to 4 bits."""
    return pack_four_bits(*find_four_bits(weights))


def find_four_bits(weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of `weights`, float32 [rows, columns], q uint8 [rows, columns], scales and offsets [rows, columns / 32]:
    w = scale · q + offset.

    Of several ranges around the middle of each group, the one with the least squared error is taken: numbers outside
    of it are cut off, and the others are nearer to theirs.
    """
    groups = weights.unflatten(-1, (-1, GROUP))
    least, greatest = groups.amin(dim=-1, keepdim=True), groups.amax(dim=-1, keepdim=True)
    best = _round_within(groups, least, greatest)
    for share in RANGES[1:]:
        cut = (greatest - least) * (1 - share) / 2
        best = _choose(best, _round_within(groups, least + cut, greatest - cut))
    values, scales, offsets, _ = best
    return values.to(torch.uint8).flatten(1), scales[..., 0], offsets[..., 0]


def _round_within(groups: Tensor, least: Tensor, greatest: Tensor) -> Rounded:
    scales = ((greatest - least) / LARGEST).clamp(min=1e-7).half().float()
    offsets = least.half().float()
    values = ((groups - offsets) / scales).round_().clamp_(0, LARGEST)
    return values, scales, offsets, (values * scales + offsets - groups).square().sum(dim=-1, keepdim=True)


def _choose(one: Rounded, other: Rounded) -> Rounded:
    is_better = other[3] < one[3]
    values, scales, offsets, error = (torch.where(is_better, b, a) for a, b in zip(one, other, strict=True))
    return values, scales, offsets, error


# With four bits the head keeps eight: each token is chosen by it.
ROUNDINGS: Final[Mapping[str, Rounding]] = {
    ROUNDED: Rounding(ROUNDED, round_to_eight_bits, round_to_eight_bits),
    FOUR_BITS: Rounding(FOUR_BITS, round_to_four_bits, round_to_eight_bits),
}
