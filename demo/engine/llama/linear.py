"""Weight matrices in the form in which they are stored, and the products with them.

`few` is for the rows of a decode step: its result for a row does not depend on what rows are beside it.
`many` is for the tokens of a long prompt: it unpacks the matrix for the moment, once for all of them.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import linear

GROUP = 32  # weights that share a scale and an offset


class Linear(Protocol):
    """A matrix [out, in] that multiplies vectors."""

    def few(self, x: Tensor) -> Tensor:
        """[rows, out] of x [rows, in], in the matrix's own dtype."""

    def many(self, x: Tensor) -> Tensor:
        """The same, at less cost for each row where there are dozens."""


class FourBit(Linear):
    """Four-bit values q in groups of 32 along a row, each w = scale · q + offset.

    PyTorch's product wants w = (q − 8) · scale + zero, with bfloat16 scales and zeros; fbgemm's unpacking takes
    scale and offset as the file has them.
    """

    def __init__(self, values: Tensor, scales: Tensor, offsets: Tensor) -> None:
        """`values` uint8 [out, in]; `scales` and `offsets` float16 [out, in / 32]."""
        self._shape = values.shape
        zeros = offsets.float() + 8 * scales.float()
        self._scales = torch.stack([scales.float(), zeros], dim=-1).transpose(0, 1).bfloat16().contiguous()
        self._packed = torch.ops.aten._convert_weight_to_int4pack_for_cpu(values.int(), 1)
        nibbles = values[:, 0::2] | (values[:, 1::2] << 4)
        affine = torch.stack([scales.half(), offsets.half()], dim=-1).view(-1, 2).view(torch.uint8)
        self._groups = torch.cat([nibbles.view(-1, GROUP // 2), affine], dim=1)  # [groups, 20]

    def few(self, x: Tensor) -> Tensor:
        product: Tensor = torch.ops.aten._weight_int4pack_mm_for_cpu(x.bfloat16(), self._packed, GROUP, self._scales)
        return product

    def many(self, x: Tensor) -> Tensor:
        weight = torch.ops.quantized.embedding_bag_4bit_unpack(self._groups).view(self._shape)
        return _multiply(x, weight)


class EightBit(Linear):
    """Eight-bit values with one scale a row: any matrix of more than four bits, rounded."""

    def __init__(self, weight: Tensor) -> None:
        """`weight` float [out, in]."""
        # The scale is rounded first, up, so that the values make good for what it lost.
        scales = (weight.abs().amax(dim=1).clamp(min=1e-12) / 127 * 1.004).bfloat16()
        self._scales = scales
        self._values = (weight / scales.float()[:, None]).round().clamp(-127, 127).to(torch.int8)

    def few(self, x: Tensor) -> Tensor:
        product: Tensor = torch.ops.aten._weight_int8pack_mm(x.bfloat16(), self._values, self._scales)
        return product

    def many(self, x: Tensor) -> Tensor:
        return _multiply(x, self._values.float() * self._scales.float()[:, None])


class Dense(Linear):
    """Plain numbers, of whatever dtype."""

    def __init__(self, weight: Tensor) -> None:
        self._weight = weight

    def few(self, x: Tensor) -> Tensor:
        return linear(x.to(self._weight.dtype), self._weight)

    many = few


class Stacked(Linear):
    """Matrices of different forms, one below the other."""

    def __init__(self, parts: Sequence[Linear]) -> None:
        self._parts = parts

    def few(self, x: Tensor) -> Tensor:
        return torch.cat([part.few(x) for part in self._parts], dim=-1)

    def many(self, x: Tensor) -> Tensor:
        return torch.cat([part.many(x) for part in self._parts], dim=-1)


def find_missing_kernels() -> str:
    """What this processor or this PyTorch lacks for products with packed weights to be fast; empty where nothing."""
    if not hasattr(torch.ops.aten, "_weight_int4pack_mm_for_cpu"):
        return f"PyTorch {torch.__version__} has no product with 4-bit weights for a CPU"
    if torch.backends.cpu.get_cpu_capability() != "AVX512":
        return "this processor has no AVX-512"
    return ""


def _has_bfloat16_tiles() -> bool:
    asks = [getattr(torch.cpu, f"_is_{name}_supported", lambda: False) for name in ("amx_tile", "avx512_bf16")]
    return all(ask() for ask in asks)


HAS_BFLOAT16_TILES = _has_bfloat16_tiles()


def _multiply(x: Tensor, weight: Tensor) -> Tensor:
    """x times a float32 weight, transposed; in bfloat16 where the processor has tiles for that."""
    if HAS_BFLOAT16_TILES:
        return linear(x.bfloat16(), weight.bfloat16())
    return linear(x.float(), weight)
