"""Weights in GGML's quantization types, read as the kernels' values, scales and offsets. Knows no file."""

from collections.abc import Callable
from functools import cache
from typing import Final, TypeAlias

import numpy as np
import torch
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, dequantize
from gguf.quants import IQ4_NL, MXFP4
from torch import Tensor

from demo.engines.local.runners.cpu_llama.kernels.activations import GROUP
from demo.engines.local.runners.cpu_llama.weights.matrix import (
    Matrix,
    pack_eight_bits,
    pack_four_bits,
    pack_offset_bytes,
)
from demo.engines.local.runners.cpu_llama.weights.rounding import Round, choose_plain_packing, round_to_eight_bits

PLAIN: Final = {
    GGMLQuantizationType.F32: torch.float32,
    GGMLQuantizationType.F16: torch.float16,
    GGMLQuantizationType.BF16: torch.bfloat16,
}
Reader: TypeAlias = Callable[[Tensor], tuple[Tensor, ...]]  # of blocks of bytes
LOW_NIBBLES: Final = 0x0F0F0F0F0F0F0F0F


@cache
def is_readable(quantization: GGMLQuantizationType) -> bool:
    """Whether gguf can dequantize it: integers and types of activations alone it cannot."""
    try:
        dequantize(np.zeros(GGML_QUANT_SIZES[quantization][1], np.uint8), quantization)
    except NotImplementedError:
        return False
    return True


def unpack(stored: Tensor, quantization: GGMLQuantizationType) -> Tensor:
    """float32 [rows, columns] of stored rows: bytes, unless the type is in PLAIN."""
    if quantization in PLAIN:
        return stored.to(torch.float32, copy=True)  # a view would keep the mapping of its file in memory
    return torch.from_numpy(dequantize(stored.numpy(), quantization))


def choose_packing(quantization: GGMLQuantizationType, round: Round | None) -> Round:
    """How stored rows are packed: as they are where the kernels have such values, else rounded to 8 bits.

    With `round`, numbers of 16 or 32 bits are rounded too.
    """
    if quantization in PLAIN:
        return choose_plain_packing(round)
    if quantization not in PACKED:
        return lambda rows: round_to_eight_bits(unpack(rows, quantization))
    (read, pack), size = PACKED[quantization], GGML_QUANT_SIZES[quantization][1]
    return lambda rows: pack(*read(rows.unflatten(-1, (-1, size))))


def _read_q4_0(blocks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """w = d · (q − 8); a block is d and 16 bytes of which the low nibbles come first."""
    scales = _read_halves(blocks, 0)
    return _split(blocks[..., 2:]), scales, -8 * scales


def _read_q4_1(blocks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """w = d · q + m."""
    return _split(blocks[..., 4:]), _read_halves(blocks, 0), _read_halves(blocks, 2)


def _read_q4_k(blocks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """w = d · scale · q − m · minimum: eight groups share d and m, their scales and minima have six bits."""
    return _split(blocks[..., 16:].unflatten(-1, (4, GROUP))), *_read_scales(blocks)


def _read_scales(blocks: Tensor) -> tuple[Tensor, Tensor]:
    """Scales and offsets [rows, groups] of blocks of eight groups, in float32."""
    d, m = _read_halves(blocks, 0).float()[..., None], _read_halves(blocks, 2).float()[..., None]
    low, middle, high = blocks[..., 4:16].split(4, dim=-1)
    scales = torch.cat([low & 63, (high & 15) | (low >> 6 << 4)], dim=-1)
    minima = torch.cat([middle & 63, (high >> 4) | (middle >> 6 << 4)], dim=-1)
    return (d * scales).flatten(1), (-m * minima).flatten(1)


def _read_q5_1(blocks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """w = d · q + m: the low four bits of q as in Q4_1, the fifth bits in a word before them."""
    return _split(blocks[..., 8:]) + _read_fifth(blocks[..., 4:8]), _read_halves(blocks, 0), _read_halves(blocks, 2)


def _read_q5_k(blocks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """As Q4_K; bit g of byte i before the low bits is the fifth one of value i of group g."""
    bits = torch.arange(8, dtype=torch.uint8)[:, None]
    fifth = (blocks[..., 16:48].unsqueeze(-2) >> bits & 1) << 4
    return _split(blocks[..., 48:].unflatten(-1, (4, GROUP))) + fifth.flatten(1), *_read_scales(blocks)


def _read_q8_0(blocks: Tensor) -> tuple[Tensor, Tensor]:
    """w = d · q."""
    return blocks[..., 2:].flatten(1).view(torch.int8), _read_halves(blocks, 0)


def _read_q5_0(blocks: Tensor) -> tuple[Tensor, Tensor]:
    """w = d · (q − 16), with the bits of q as in Q5_1."""
    values = _split(blocks[..., 6:]) + _read_fifth(blocks[..., 2:6])
    return values.view(torch.int8) - 16, _read_halves(blocks, 0)


def _read_iq4_nl(blocks: Tensor) -> tuple[Tensor, Tensor]:
    """w = d · table[q], with the nibbles of q as in Q4_0."""
    return _look_up(IQ4_NL.kvalues, blocks[..., 2:]), _read_halves(blocks, 0)


def _read_mxfp4(blocks: Tensor) -> tuple[Tensor, Tensor]:
    """w = 2^(e − 128) · table[q]: a byte e, and nibbles as in Q4_0 (OCP Microscaling Formats 1.0)."""
    return _look_up(MXFP4.kvalues, blocks[..., 1:]), torch.exp2(blocks[..., 0].float() - 128)


def _look_up(table: tuple[int, ...], nibbles: Tensor) -> Tensor:
    return torch.tensor(table, dtype=torch.int8)[_split(nibbles).int()]


def _read_halves(blocks: Tensor, at: int) -> Tensor:
    """The float16 at byte `at` of each block, [rows, blocks]."""
    return blocks[..., at : at + 2].view(torch.float16).squeeze(-1)


def _read_fifth(words: Tensor) -> Tensor:
    """16 where a bit of a block's four bytes is set, else 0: uint8 [rows, columns]."""
    bits = (words.contiguous().view(torch.int32) >> torch.arange(GROUP, dtype=torch.int32)) & 1
    return (bits.to(torch.uint8) << 4).flatten(1)


def _split(bytes: Tensor) -> Tensor:
    """Values [rows, columns] of bytes [rows, …, n], of which each n hold n low nibbles, then n high ones."""
    words = bytes.contiguous().view(torch.int64)  # eight at a time
    return torch.stack([words & LOW_NIBBLES, (words >> 4) & LOW_NIBBLES], dim=-2).flatten(1).view(torch.uint8)


# How to read values [rows, columns], scales and offsets [rows, groups], and to pack them: nibbles, bytes below 32, and
# signed bytes without offsets.
PACKED: Final[dict[GGMLQuantizationType, tuple[Reader, Callable[..., Matrix]]]] = {
    GGMLQuantizationType.Q4_0: (_read_q4_0, pack_four_bits),
    GGMLQuantizationType.Q4_1: (_read_q4_1, pack_four_bits),
    GGMLQuantizationType.Q4_K: (_read_q4_k, pack_four_bits),
    GGMLQuantizationType.Q5_1: (_read_q5_1, pack_offset_bytes),
    GGMLQuantizationType.Q5_K: (_read_q5_k, pack_offset_bytes),
    GGMLQuantizationType.Q8_0: (_read_q8_0, pack_eight_bits),
    GGMLQuantizationType.Q5_0: (_read_q5_0, pack_eight_bits),
    GGMLQuantizationType.IQ4_NL: (_read_iq4_nl, pack_eight_bits),
    GGMLQuantizationType.MXFP4: (_read_mxfp4, pack_eight_bits),
}
