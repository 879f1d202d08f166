"""Sixteen numbers at once: the vectors in which kernels are written, as types and operations of numba.

An operation is one or a few instructions of LLVM (its language reference; Intel's intrinsics guide for what begins with
V). On a processor with shorter vectors LLVM takes several.
Addresses are integers: whoever computes one answers for what lies there.
"""

import operator
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import ConcreteTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_jitable, register_model

from demo.engine.llama.kernels import has_feature

LANES = 16
Builder = Any  # llvmlite's IRBuilder
Value = Any  # llvmlite's value


@register_jitable
def fill_lanes(count: int) -> int:
    """So many numbers, and as many more as fill the last lanes."""
    return -(-count // LANES) * LANES


class Floats:
    """Sixteen float32."""

    def __add__(self, other: "Floats") -> "Floats":
        raise NotImplementedError

    def __sub__(self, other: "Floats") -> "Floats":
        raise NotImplementedError

    def __mul__(self, other: "Floats") -> "Floats":
        raise NotImplementedError

    def __truediv__(self, other: "Floats") -> "Floats":
        raise NotImplementedError


class Ints:
    """Sixteen int32, each also four bytes."""

    def __add__(self, other: "Ints") -> "Ints":
        raise NotImplementedError


class _Lanes(types.Type):
    def __init__(self, name: str, lane: ir.Type) -> None:
        super().__init__(name)
        self.vector = ir.VectorType(lane, LANES)


@register_model(_Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: _Lanes) -> None:
        super().__init__(manager, kind, kind.vector)  # type: ignore[no-untyped-call]


_KINDS: dict[Any, Any] = {
    Floats: _Lanes("floats", ir.FloatType()),
    Ints: _Lanes("ints", ir.IntType(32)),
    int: types.int64,
    float: types.float32,
    None: types.void,
}
_FLOATS, _INTS = _KINDS[Floats].vector, _KINDS[Ints].vector
_BYTES = ir.VectorType(ir.IntType(8), 4 * LANES)
_SHORTS = ir.VectorType(ir.IntType(16), 2 * LANES)
_BYTE, _INT32, _INT64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)

Result = TypeVar("Result")


def _operation(
    result: type[Result] | None, *arguments: type
) -> Callable[[Callable[..., Value]], Callable[..., Result]]:
    """An operation for kernels: of a function that builds its instructions, with the types of what goes in and out."""

    def declare(build: Callable[..., Value]) -> Any:
        def lower(context: Any, builder: Builder, signature: Any, values: Any) -> Value:
            built = build(builder, *values)
            return context.get_dummy_value() if result is None else built

        kinds = _KINDS[result](*(_KINDS[each] for each in arguments))
        # numba counts parameters by their names.
        declared = (
            lambda context: (kinds, lower),
            lambda context, x: (kinds, lower),
            lambda context, x, y: (kinds, lower),
            lambda context, x, y, z: (kinds, lower),
        )[len(arguments)]
        declared.__name__, declared.__doc__ = build.__name__, build.__doc__
        return intrinsic(declared)

    return declare


def _at(builder: Builder, address: Value, kind: ir.Type) -> Value:
    return builder.inttoptr(address, kind.as_pointer())


def _constant(kind: ir.VectorType, value: float) -> Value:
    return ir.Constant(kind, [value] * LANES)


def _spread(builder: Builder, value: Value, kind: ir.VectorType) -> Value:
    undefined = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(undefined, value, ir.Constant(_INT32, 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(_INTS, [0] * LANES))


def _call(builder: Builder, name: str, result: ir.Type, *values: Value) -> Value:
    kind = ir.FunctionType(result, [value.type for value in values])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), values)


@_operation(Floats, int)
def load_floats(builder: Builder, address: Value) -> Value:
    """Sixteen float32 in a row."""
    return builder.load(_at(builder, address, _FLOATS), align=4)


@_operation(Floats, int)
def load_halfs(builder: Builder, address: Value) -> Value:
    """Sixteen float16 in a row."""
    halfs = ir.VectorType(ir.HalfType(), LANES)
    return builder.fpext(builder.load(_at(builder, address, halfs), align=2), _FLOATS)


@_operation(Floats, int)
def load_bfloats(builder: Builder, address: Value) -> Value:
    """Sixteen bfloat16 in a row: the upper halves of float32."""
    bits = builder.load(_at(builder, address, ir.VectorType(ir.IntType(16), LANES)), align=2)
    return builder.bitcast(builder.shl(builder.zext(bits, _INTS), _constant(_INTS, 16)), _FLOATS)


@_operation(None, int, Floats)
def store_floats(builder: Builder, address: Value, x: Value) -> None:
    """Sixteen float32 in a row."""
    builder.store(x, _at(builder, address, _FLOATS), align=4)


@_operation(Ints, int)
def load_bytes(builder: Builder, address: Value) -> Value:
    """64 bytes in a row."""
    return builder.load(_at(builder, address, _INTS), align=1)


@_operation(None, int, Ints)
def store_bytes(builder: Builder, address: Value, x: Value) -> None:
    """The lowest byte of each, 16 in a row."""
    lowest = ir.VectorType(_BYTE, LANES)
    builder.store(builder.trunc(x, lowest), _at(builder, address, lowest), align=1)


@_operation(Ints, int)
def spread_bytes(builder: Builder, address: Value) -> Value:
    """Four bytes, sixteen times."""
    return _spread(builder, builder.load(_at(builder, address, _INT32), align=4), _INTS)


@_operation(Floats, float)
def spread(builder: Builder, x: Value) -> Value:
    """A number, sixteen times."""
    return _spread(builder, x, _FLOATS)


@_operation(float, int)
def read_float(builder: Builder, address: Value) -> Value:
    """One float32."""
    return builder.load(_at(builder, address, ir.FloatType()), align=4)


@_operation(None, int, float)
def write_float(builder: Builder, address: Value, x: Value) -> None:
    """One float32."""
    builder.store(x, _at(builder, address, ir.FloatType()), align=4)


@_operation(None, int, int)
def write_int(builder: Builder, address: Value, x: Value) -> None:
    """One int32."""
    builder.store(builder.trunc(x, _INT32), _at(builder, address, _INT32), align=4)


@_operation(int, int)
def read_long(builder: Builder, address: Value) -> Value:
    """One int64."""
    return builder.load(_at(builder, address, _INT64), align=8)


@_operation(Ints, Ints)
def low_nibbles(builder: Builder, x: Value) -> Value:
    """Of each byte."""
    return builder.and_(x, _constant(_INTS, 0x0F0F0F0F))


@_operation(Ints, Ints)
def high_nibbles(builder: Builder, x: Value) -> Value:
    """Of each byte."""
    return builder.and_(builder.lshr(x, _constant(_INTS, 4)), _constant(_INTS, 0x0F0F0F0F))


@_operation(Ints, Ints, Ints, Ints)
def add_products(builder: Builder, sums: Value, x: Value, y: Value) -> Value:
    """To each sum, four products of unsigned bytes x with signed bytes y."""
    if has_feature("avx512vnni"):
        bytes = [builder.bitcast(each, _BYTES) for each in (x, y)]
        return _call(builder, "llvm.x86.avx512.vpdpbusd.512", _INTS, sums, *bytes)
    evens = builder.and_(x, _constant(_INTS, 0x00FF00FF))
    odds = builder.and_(builder.lshr(x, _constant(_INTS, 8)), _constant(_INTS, 0x00FF00FF))
    pairs, eight = builder.bitcast(y, _SHORTS), ir.Constant(_SHORTS, [8] * 2 * LANES)
    sums = builder.add(sums, _multiply_pairs(builder, evens, builder.ashr(builder.shl(pairs, eight), eight)))
    return builder.add(sums, _multiply_pairs(builder, odds, builder.ashr(pairs, eight)))


def _multiply_pairs(builder: Builder, x: Value, y: Value) -> Value:
    """The sums of two products of int16 each, by halves: VPMADDWD."""
    x, kind = builder.bitcast(x, _SHORTS), ir.VectorType(_INT32, LANES // 2)
    halves = [ir.Constant(_INTS, list(range(first, first + LANES))) for first in (0, LANES)]
    low, high = (
        _call(builder, "llvm.x86.avx2.pmadd.wd", kind, *(builder.shuffle_vector(each, each, half) for each in (x, y)))
        for half in halves
    )
    return builder.shuffle_vector(low, high, ir.Constant(_INTS, list(range(LANES))))


@_operation(Ints)
def no_ints(builder: Builder) -> Value:
    """Zeros."""
    return _constant(_INTS, 0)


@_operation(Floats)
def no_floats(builder: Builder) -> Value:
    """Zeros."""
    return _constant(_FLOATS, 0.0)


@_operation(Floats, Ints)
def to_floats(builder: Builder, x: Value) -> Value:
    """The same numbers."""
    return builder.sitofp(x, _FLOATS)


@_operation(Ints, Floats)
def to_ints(builder: Builder, x: Value) -> Value:
    """The nearest integers, the even one of two."""
    return builder.fptosi(_call(builder, "llvm.rint.v16f32", _FLOATS, x), _INTS)


@_operation(Floats, Ints)
def power_of_two(builder: Builder, x: Value) -> Value:
    """2ˣ, for x from -126 to 127: a float32 with that exponent."""
    return builder.bitcast(builder.shl(builder.add(x, _constant(_INTS, 127)), _constant(_INTS, 23)), _FLOATS)


@_operation(Floats, Floats, Floats, Floats)
def fma(builder: Builder, x: Value, y: Value, z: Value) -> Value:
    """x · y + z, rounded once."""
    return _call(builder, "llvm.fma.v16f32", _FLOATS, x, y, z)


@_operation(Floats, Floats, Floats)
def larger(builder: Builder, x: Value, y: Value) -> Value:
    """Of each pair; no number is NaN."""
    return builder.select(builder.fcmp_ordered(">", x, y), x, y)


@_operation(Floats, Floats, Floats)
def smaller(builder: Builder, x: Value, y: Value) -> Value:
    """Of each pair; no number is NaN."""
    return builder.select(builder.fcmp_ordered("<", x, y), x, y)


@_operation(Floats, Floats, int, float)
def fill_up(builder: Builder, x: Value, count: Value, rest: Value) -> Value:
    """The first `count`, and `rest` for the others."""
    numbers = ir.Constant(_INTS, list(range(LANES)))
    among = builder.icmp_signed("<", numbers, _spread(builder, builder.trunc(count, _INT32), _INTS))
    return builder.select(among, x, _spread(builder, rest, _FLOATS))


@_operation(Floats, Floats)
def absolute(builder: Builder, x: Value) -> Value:
    """Without the sign."""
    return _call(builder, "llvm.fabs.v16f32", _FLOATS, x)


@_operation(float, Floats)
def largest(builder: Builder, x: Value) -> Value:
    """Of all sixteen."""
    return _call(builder, "llvm.vector.reduce.fmax.v16f32", ir.FloatType(), x)


@_operation(float, Floats)
def total(builder: Builder, x: Value) -> Value:
    """Of all sixteen: halves are added to each other, again and again."""
    for half in (8, 4, 2, 1):
        other = ir.Constant(_INTS, [(lane + half) % LANES for lane in range(LANES)])
        x = builder.fadd(x, builder.shuffle_vector(x, x, other))
    return builder.extract_element(x, ir.Constant(_INT32, 0))


@_operation(int, Ints)
def total_ints(builder: Builder, x: Value) -> Value:
    """Of all sixteen."""
    return builder.sext(_call(builder, "llvm.vector.reduce.add.v16i32", _INT32, x), _INT64)


@_operation(int, int, int)
def add_atomically(builder: Builder, address: Value, x: Value) -> Value:
    """To the int64 that several threads see: what it was before."""
    return builder.atomic_rmw("add", _at(builder, address, _INT64), x, "seq_cst")


@_operation(int, int)
def read_atomically(builder: Builder, address: Value) -> Value:
    """The int64 that other threads change."""
    return builder.load_atomic(_at(builder, address, _INT64), "seq_cst", 8)


@_operation(None)
def pause(builder: Builder) -> None:
    """Let the core's other thread work: for loops that wait."""
    _call(builder, "llvm.x86.sse2.pause", ir.VoidType())


def _add_operator(symbol: Any, kind: type, build: Callable[[Builder, Value, Value], Value]) -> None:
    lanes = _KINDS[kind]

    class Template(ConcreteTemplate):
        cases: ClassVar = [signature(lanes, lanes, lanes)]

    infer_global(symbol)(Template)
    lower_builtin(symbol, lanes, lanes)(lambda context, builder, signature, values: build(builder, *values))


_add_operator(operator.add, Floats, lambda builder, x, y: builder.fadd(x, y))
_add_operator(operator.sub, Floats, lambda builder, x, y: builder.fsub(x, y))
_add_operator(operator.mul, Floats, lambda builder, x, y: builder.fmul(x, y))
_add_operator(operator.truediv, Floats, lambda builder, x, y: builder.fdiv(x, y))
_add_operator(operator.add, Ints, lambda builder, x, y: builder.add(x, y))
