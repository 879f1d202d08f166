"""Weight matrices in the form in which they are stored, and the products with them.

For the rows of a decode step a row's result does not depend on what rows are beside it, but for the last bits from
float32 numbers; for the many tokens of a prompt a packed matrix is unpacked for the moment, once for all prompts that
are read together, each of which is multiplied by itself. TorchScript compiles the products.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import Module, ModuleList
from torch.nn.functional import linear, pad

GROUP = 32  # weights that share a scale and an offset
ROWS_AT_ONCE = 16  # what the kernel for four bits takes is a multiple of


@dataclass(frozen=True, slots=True)
class Unpacked:
    """Products with an unpacked matrix. The unit of work is one token's product with a packed one, as measured."""

    in_bfloat16: bool
    few: int  # tokens up to which a matrix is better not unpacked
    unpacking: float  # the work of that
    token: float  # the work for each token more


def _choose_unpacked() -> Unpacked:
    """The way that is fastest on this processor."""
    if _has("avx512_bf16"):
        return Unpacked(True, 24, 20, 1 / 6) if _has("amx_tile") else Unpacked(True, 64, 50, 0.4)
    return Unpacked(False, 64, 53, 1 / 6)


def _has(instructions: str) -> bool:
    return bool(getattr(torch.cpu, f"_is_{instructions}_supported", lambda: False)())


UNPACKED = _choose_unpacked()


class Linear(Module):
    """A matrix [out, in] that multiplies vectors."""

    def __init__(self) -> None:
        super().__init__()
        self._group = GROUP  # TorchScript knows no globals
        self._in_bfloat16 = UNPACKED.in_bfloat16

    def forward(self, x: Tensor, parts: list[int]) -> Tensor:
        """[rows, out] of x [rows, in], in the matrix's own dtype.

        `parts` are the numbers of rows that are multiplied by themselves, each dozens; empty where rows are few.
        """
        raise NotImplementedError


class FourBit(Linear):
    """Four-bit values q in groups of 32 along a row, each w = scale · q + offset.

    PyTorch's product wants w = (q − 8) · scale + zero, with bfloat16 scales and zeros; fbgemm's unpacking takes
    scale and offset as the file has them.
    """

    def __init__(self, values: Tensor, scales: Tensor, offsets: Tensor) -> None:
        """`values` uint8 [out, in]; `scales` and `offsets` float16 [out, in / 32]."""
        super().__init__()
        self._out = len(values)
        if missing := -len(values) % ROWS_AT_ONCE:
            values, scales, offsets = (pad(each, (0, 0, 0, missing)) for each in (values, scales, offsets))
        self._shape = values.shape
        zeros = offsets.float() + 8 * scales.float()
        self._scales = torch.stack([scales.float(), zeros], dim=-1).transpose(0, 1).bfloat16().contiguous()
        self._packed = torch.ops.aten._convert_weight_to_int4pack_for_cpu(values.int(), 1)
        pairs = values.view(torch.int16)
        nibbles = (pairs >> 4).bitwise_or_(pairs).to(torch.uint8)  # of each pair the first is the low one
        affine = torch.stack([scales.half(), offsets.half()], dim=-1).view(-1, 2).view(torch.uint8)
        self._groups = torch.cat([nibbles.view(-1, GROUP // 2), affine], dim=1)  # [groups, 20]

    @classmethod
    def round(cls, weights: Iterable[Tensor]) -> "FourBit":
        """The nearest to `weights` float [out, in], one below the other, whose groups reach from least to greatest."""
        return cls(*map(torch.cat, zip(*map(_round_groups, weights), strict=True)))

    def forward(self, x: Tensor, parts: list[int]) -> Tensor:
        if len(parts) > 0:
            weight = torch.ops.quantized.embedding_bag_4bit_unpack(self._groups).view(self._shape)[: self._out]
            return _multiply(x, weight, parts, self._in_bfloat16)
        x = x.to(torch.bfloat16)
        product: Tensor = torch.ops.aten._weight_int4pack_mm_for_cpu(x, self._packed, self._group, self._scales)
        return product if product.size(1) == self._out else product[:, : self._out]


class EightBit(Linear):
    """Eight-bit values with one scale a row: any matrix of more than four bits, rounded."""

    def __init__(self, weight: Tensor) -> None:
        """`weight` float [out, in]."""
        super().__init__()
        # The scale is rounded first, up, so that the values make good for what it lost.
        scales = (weight.abs().amax(dim=1).clamp(min=1e-12) / 127 * 1.004).bfloat16()
        self._scales = scales
        self._values = (weight / scales.float()[:, None]).round().clamp(-127, 127).to(torch.int8)

    def forward(self, x: Tensor, parts: list[int]) -> Tensor:
        if len(parts) > 0:
            return _multiply(x, self._values.float() * self._scales.float()[:, None], parts, self._in_bfloat16)
        product: Tensor = torch.ops.aten._weight_int8pack_mm(x.to(torch.bfloat16), self._values, self._scales)
        return product


class SixteenBit(Linear):
    """float16 numbers, which fbgemm multiplies by float32 vectors and sums in float32, each row as if alone."""

    def __init__(self, weight: Tensor) -> None:
        """`weight` float [out, in], of which float16 holds the numbers."""
        super().__init__()
        self._packed = torch.ops.quantized.linear_prepack_fp16(weight.float(), None)

    def forward(self, x: Tensor, parts: list[int]) -> Tensor:
        product: Tensor = torch.ops.quantized.linear_dynamic_fp16(x.float(), self._packed)
        return product


class Dense(Linear):
    """Plain float32 numbers."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self._weight = weight

    def forward(self, x: Tensor, parts: list[int]) -> Tensor:
        return _multiply_each(x.float(), self._weight, parts)


class Stacked(Linear):
    """Matrices of different forms, one below the other."""

    def __init__(self, parts: Sequence[Linear]) -> None:
        super().__init__()
        self._parts = ModuleList(parts)

    def forward(self, x: Tensor, parts: list[int]) -> Tensor:
        return torch.cat([part(x, parts) for part in self._parts], dim=-1)


def pack_plain(stored: Tensor) -> Linear:
    """Plain numbers [out, in] of 32 or 16 bits."""
    if stored.dtype == torch.float32 or torch.backends.quantized.engine not in ("x86", "fbgemm"):
        return Dense(stored.float())
    return SixteenBit(stored) if _fits_float16(stored) else Dense(stored.float())


def _fits_float16(stored: Tensor) -> bool:
    """Whether float16 loses next to nothing: it lacks bfloat16's largest numbers, and places of those below 2⁻¹⁴."""
    if stored.dtype == torch.float16:
        return True
    weight = stored.float()
    return bool((weight - weight.half()).norm() <= 2.0**-16 * weight.norm())


def find_missing_kernels() -> str:
    """What this processor or this PyTorch lacks for products with packed weights to be fast; empty where nothing."""
    if not hasattr(torch.ops.aten, "_weight_int4pack_mm_for_cpu"):
        return f"PyTorch {torch.__version__} has no product with 4-bit weights for a CPU"
    if torch.backends.cpu.get_cpu_capability() != "AVX512":
        return "this processor has no AVX-512"
    return ""


def _round_groups(weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    groups = weight.unflatten(-1, (-1, GROUP))
    offsets, greatest = groups.amin(dim=-1).half(), groups.amax(dim=-1)
    scales = ((greatest - offsets) / 15).clamp(min=1e-7).half()
    values = (groups - offsets.float()[..., None]).div_(scales.float()[..., None]).round_().clamp_(0, 15)
    return values.to(torch.uint8).flatten(1), scales, offsets


def _multiply(x: Tensor, weight: Tensor, parts: list[int], in_bfloat16: bool) -> Tensor:
    """x times a float32 weight, transposed; in bfloat16 where the processor multiplies that faster."""
    if in_bfloat16:
        return _multiply_each(x.to(torch.bfloat16), weight.to(torch.bfloat16), parts)
    return _multiply_each(x.float(), weight, parts)


def _multiply_each(x: Tensor, weight: Tensor, parts: list[int]) -> Tensor:
    """The matrix library cuts its sums by the number of rows: what a part gets must not depend on the others."""
    if len(parts) <= 1:
        return linear(x, weight)
    return torch.cat([linear(part, weight) for part in x.split(parts)])
