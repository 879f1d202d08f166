"""SIMD vectors of 16 lanes as numba types, the decorator that defines an instruction on them, and their arithmetic.

An instruction here is one or a few LLVM instructions (LLVM language reference; Intel's intrinsics guide for names that
begin with V). On a processor with shorter vectors LLVM splits it.
"""

import operator
from collections.abc import Callable
from typing import Any, ClassVar, Final, TypeVar

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import ConcreteTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_jitable, register_model

from demo.engines.local.runners.cpu_llama.kernels import has_feature

LANES = 16
Vector = TypeVar("Vector")
Result = TypeVar("Result")
Builder = Any  # llvmlite's IRBuilder
Value = Any  # llvmlite's value


@register_jitable
def round_up(count: int) -> int:
    """`count` rounded up to a whole number of vectors."""
    return -(-count // LANES) * LANES


def _declare_operator(x: Vector, y: Vector) -> Vector:
    raise NotImplementedError


class Floats:
    """16 float32. This class is for type checkers only: numba compiles it to a vector."""

    __add__ = __sub__ = __mul__ = __truediv__ = _declare_operator


class Ints:
    """16 int32, or 64 bytes. This class is for type checkers only, too."""

    __add__ = _declare_operator


class _Lanes(types.Type):
    def __init__(self, name: str, lane: ir.Type) -> None:
        super().__init__(name)
        self.vector = ir.VectorType(lane, LANES)


@register_model(_Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: _Lanes) -> None:
        super().__init__(manager, kind, kind.vector)  # type: ignore[no-untyped-call] # numba leaves it so


_KINDS: dict[Any, Any] = {
    Floats: _Lanes("floats", ir.FloatType()),
    Ints: _Lanes("ints", ir.IntType(32)),
    int: types.int64,
    float: types.float32,
    None: types.void,
}
FLOAT16, FLOAT32 = ir.HalfType(), ir.FloatType()
INT8, INT32, INT64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)
FLOATS, INTS = _KINDS[Floats].vector, _KINDS[Ints].vector
BYTES, SHORTS = ir.VectorType(INT8, 4 * LANES), ir.VectorType(ir.IntType(16), 2 * LANES)


def instruction(
    result: type[Result] | None, *arguments: type
) -> Callable[[Callable[..., Value]], Callable[..., Result]]:
    """Define an instruction by the function that emits its LLVM code, and by its result and argument types."""

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


def constant(kind: ir.VectorType, value: float) -> Value:
    """A compile-time constant in every lane."""
    return ir.Constant(kind, [value] * LANES)


def splat_value(builder: Builder, value: Value, kind: ir.VectorType) -> Value:
    """A scalar in every lane."""
    undefined = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(undefined, value, ir.Constant(INT32, 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(INTS, [0] * LANES))


def call(builder: Builder, name: str, result: ir.Type, *values: Value) -> Value:
    """Call the LLVM intrinsic `name`."""
    kind = ir.FunctionType(result, [value.type for value in values])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), values)


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

NUMBERS: Final = ir.Constant(INTS, list(range(LANES)))  # of the lanes

zero_floats = instruction(Floats)(lambda builder: constant(FLOATS, 0.0))
zero_ints = instruction(Ints)(lambda builder: constant(INTS, 0))
splat = instruction(Floats, float)(lambda builder, x: splat_value(builder, x, FLOATS))  # a scalar in all lanes
to_floats = instruction(Floats, Ints)(lambda builder, x: builder.sitofp(x, FLOATS))
# Fused multiply-add: x · y + z, rounded once.
fma = instruction(Floats, Floats, Floats, Floats)(
    lambda builder, x, y, z: call(builder, "llvm.fma.v16f32", FLOATS, x, y, z)
)
# The larger and the smaller of each pair; y where either is NaN, as VMAXPS and VMINPS.
maximum = instruction(Floats, Floats, Floats)(
    lambda builder, x, y: builder.select(builder.fcmp_ordered(">", x, y), x, y)
)
minimum = instruction(Floats, Floats, Floats)(
    lambda builder, x, y: builder.select(builder.fcmp_ordered("<", x, y), x, y)
)
# The largest of 16 lanes, regardless of NaN.
reduce_max = instruction(float, Floats)(lambda builder, x: call(builder, "llvm.vector.reduce.fmax.v16f32", FLOAT32, x))
reduce_add_ints = instruction(int, Ints)(
    lambda builder, x: builder.sext(call(builder, "llvm.vector.reduce.add.v16i32", INT32, x), INT64)
)
# The low and the high four bits of each byte.
low_nibbles = instruction(Ints, Ints)(lambda builder, x: builder.and_(x, constant(INTS, 0x0F0F0F0F)))
high_nibbles = instruction(Ints, Ints)(
    lambda builder, x: builder.and_(builder.lshr(x, constant(INTS, 4)), constant(INTS, 0x0F0F0F0F))
)
pause: Callable[[], None] = instruction(None)(
    lambda builder: call(builder, "llvm.x86.sse2.pause", ir.VoidType())
)  # spin-wait hint: PAUSE
count_cycles = instruction(int)(lambda builder: call(builder, "llvm.readcyclecounter", INT64))  # RDTSC


@instruction(Ints, Ints, Ints, Ints)
def dot_accumulate(builder: Builder, sums: Value, x: Value, y: Value) -> Value:
    """Add the dot product of four unsigned bytes x and four signed bytes y to each lane: VPDPBUSD."""
    if has_feature("avx512vnni"):
        bytes = [builder.bitcast(each, BYTES) for each in (x, y)]
        return call(builder, "llvm.x86.avx512.vpdpbusd.512", INTS, sums, *bytes)
    evens = builder.and_(x, constant(INTS, 0x00FF00FF))
    odds = builder.and_(builder.lshr(x, constant(INTS, 8)), constant(INTS, 0x00FF00FF))
    pairs, eight = builder.bitcast(y, SHORTS), ir.Constant(SHORTS, [8] * 2 * LANES)
    sums = builder.add(sums, _multiply_pairs(builder, evens, builder.ashr(builder.shl(pairs, eight), eight)))
    return builder.add(sums, _multiply_pairs(builder, odds, builder.ashr(pairs, eight)))


def _multiply_pairs(builder: Builder, x: Value, y: Value) -> Value:
    """Sums of two products of int16 each: VPMADDWD."""
    return _call_by_halves(builder, "llvm.x86.avx2.pmadd.wd", builder.bitcast(x, SHORTS), y)


def _call_by_halves(builder: Builder, name: str, *values: Value) -> Value:
    """The int32 that an AVX2 intrinsic returns for the lower and the upper halves of vectors."""
    size = values[0].type.count // 2
    low, high = (
        call(
            builder,
            name,
            ir.VectorType(INT32, LANES // 2),
            *(builder.shuffle_vector(each, each, ir.Constant(ir.VectorType(INT32, size), lanes)) for each in values),
        )
        for lanes in (list(range(size)), list(range(size, 2 * size)))
    )
    return builder.shuffle_vector(low, high, NUMBERS)


@instruction(Ints, Floats)
def round_to_ints(builder: Builder, x: Value) -> Value:
    """Round to the nearest int32, ties to even: VCVTPS2DQ. NaN and numbers beyond int32 give -2³¹."""
    if has_feature("avx512f"):
        name, all_lanes, current_rounding = "llvm.x86.avx512.mask.cvtps2dq.512", ir.IntType(16)(-1), INT32(4)
        return call(builder, name, INTS, x, constant(INTS, 0), all_lanes, current_rounding)
    return _call_by_halves(builder, "llvm.x86.avx.cvt.ps2dq.256", x)


@instruction(Floats, Ints)
def power_of_two(builder: Builder, x: Value) -> Value:
    """2ˣ for x from -126 to 127: the float32 with that exponent."""
    return builder.bitcast(builder.shl(builder.add(x, constant(INTS, 127)), constant(INTS, 23)), FLOATS)


@instruction(Floats, Floats, int, float)
def keep_first(builder: Builder, x: Value, count: Value, rest: Value) -> Value:
    """The first `count` lanes of x, and `rest` in the others."""
    is_kept = builder.icmp_signed("<", NUMBERS, splat_value(builder, builder.trunc(count, INT32), INTS))
    return builder.select(is_kept, x, splat_value(builder, rest, FLOATS))


@instruction(float, Floats, Floats)
def reduce_max_magnitude(builder: Builder, x: Value, y: Value) -> Value:
    """The largest |number| of 32 lanes; NaN if there is one, else infinite if there is an infinite one.

    Without their signs, float32 numbers have the order of their bits as integers, NaN being above infinity.
    """
    x, y = (builder.and_(builder.bitcast(each, INTS), constant(INTS, 0x7FFFFFFF)) for each in (x, y))
    larger = builder.select(builder.icmp_signed(">", x, y), x, y)
    return builder.bitcast(call(builder, "llvm.vector.reduce.smax.v16i32", INT32, larger), FLOAT32)


@instruction(float, Floats)
def reduce_add(builder: Builder, x: Value) -> Value:
    """The sum of 16 lanes: the upper half is added to the lower, then the quarters, and so on."""
    for half in (8, 4, 2, 1):
        other = ir.Constant(INTS, [(lane + half) % LANES for lane in range(LANES)])
        x = builder.fadd(x, builder.shuffle_vector(x, x, other))
    return builder.extract_element(x, ir.Constant(INT32, 0))
