"""What is computed with lanes, in kernels."""

from llvmlite import ir

from demo.engines.local.runners.cpu_llama.kernels import has_feature
from demo.engines.local.runners.cpu_llama.kernels.simd import (
    BYTES,
    FLOATS,
    INT32,
    INT64,
    INTS,
    LANES,
    SHORTS,
    Builder,
    Floats,
    Ints,
    Value,
    call,
    constant,
    operation,
    spread_out,
)


@operation(Floats, float)
def spread(builder: Builder, x: Value) -> Value:
    """A number, sixteen times."""
    return spread_out(builder, x, FLOATS)


@operation(Ints, Ints)
def low_nibbles(builder: Builder, x: Value) -> Value:
    """Of each byte."""
    return builder.and_(x, constant(INTS, 0x0F0F0F0F))


@operation(Ints, Ints)
def high_nibbles(builder: Builder, x: Value) -> Value:
    """Of each byte."""
    return builder.and_(builder.lshr(x, constant(INTS, 4)), constant(INTS, 0x0F0F0F0F))


@operation(Ints, Ints, Ints, Ints)
def add_products(builder: Builder, sums: Value, x: Value, y: Value) -> Value:
    """To each sum, four products of unsigned bytes x with signed bytes y."""
    if has_feature("avx512vnni"):
        bytes = [builder.bitcast(each, BYTES) for each in (x, y)]
        return call(builder, "llvm.x86.avx512.vpdpbusd.512", INTS, sums, *bytes)
    evens = builder.and_(x, constant(INTS, 0x00FF00FF))
    odds = builder.and_(builder.lshr(x, constant(INTS, 8)), constant(INTS, 0x00FF00FF))
    pairs, eight = builder.bitcast(y, SHORTS), ir.Constant(SHORTS, [8] * 2 * LANES)
    sums = builder.add(sums, _multiply_pairs(builder, evens, builder.ashr(builder.shl(pairs, eight), eight)))
    return builder.add(sums, _multiply_pairs(builder, odds, builder.ashr(pairs, eight)))


def _multiply_pairs(builder: Builder, x: Value, y: Value) -> Value:
    """The sums of two products of int16 each, by halves: VPMADDWD."""
    x, kind = builder.bitcast(x, SHORTS), ir.VectorType(INT32, LANES // 2)
    halves = [ir.Constant(INTS, list(range(first, first + LANES))) for first in (0, LANES)]
    low, high = (
        call(builder, "llvm.x86.avx2.pmadd.wd", kind, *(builder.shuffle_vector(each, each, half) for each in (x, y)))
        for half in halves
    )
    return builder.shuffle_vector(low, high, ir.Constant(INTS, list(range(LANES))))


@operation(Ints)
def no_ints(builder: Builder) -> Value:
    """Zeros."""
    return constant(INTS, 0)


@operation(Floats)
def no_floats(builder: Builder) -> Value:
    """Zeros."""
    return constant(FLOATS, 0.0)


@operation(Floats, Ints)
def to_floats(builder: Builder, x: Value) -> Value:
    """The same numbers."""
    return builder.sitofp(x, FLOATS)


@operation(Ints, Floats)
def to_ints(builder: Builder, x: Value) -> Value:
    """The nearest integers, the even one of two."""
    return builder.fptosi(call(builder, "llvm.rint.v16f32", FLOATS, x), INTS)


@operation(Floats, Ints)
def power_of_two(builder: Builder, x: Value) -> Value:
    """2ˣ, for x from -126 to 127: a float32 with that exponent."""
    return builder.bitcast(builder.shl(builder.add(x, constant(INTS, 127)), constant(INTS, 23)), FLOATS)


@operation(Floats, Floats, Floats, Floats)
def fma(builder: Builder, x: Value, y: Value, z: Value) -> Value:
    """x · y + z, rounded once."""
    return call(builder, "llvm.fma.v16f32", FLOATS, x, y, z)


@operation(Floats, Floats, Floats)
def larger(builder: Builder, x: Value, y: Value) -> Value:
    """Of each pair; no number is NaN."""
    return builder.select(builder.fcmp_ordered(">", x, y), x, y)


@operation(Floats, Floats, Floats)
def smaller(builder: Builder, x: Value, y: Value) -> Value:
    """Of each pair; no number is NaN."""
    return builder.select(builder.fcmp_ordered("<", x, y), x, y)


@operation(Floats, Floats, int, float)
def fill_up(builder: Builder, x: Value, count: Value, rest: Value) -> Value:
    """The first `count`, and `rest` for the others."""
    numbers = ir.Constant(INTS, list(range(LANES)))
    among = builder.icmp_signed("<", numbers, spread_out(builder, builder.trunc(count, INT32), INTS))
    return builder.select(among, x, spread_out(builder, rest, FLOATS))


@operation(Floats, Floats)
def absolute(builder: Builder, x: Value) -> Value:
    """Without the sign."""
    return call(builder, "llvm.fabs.v16f32", FLOATS, x)


@operation(float, Floats)
def largest(builder: Builder, x: Value) -> Value:
    """Of all sixteen."""
    return call(builder, "llvm.vector.reduce.fmax.v16f32", ir.FloatType(), x)


@operation(float, Floats)
def total(builder: Builder, x: Value) -> Value:
    """Of all sixteen: halves are added to each other, again and again."""
    for half in (8, 4, 2, 1):
        other = ir.Constant(INTS, [(lane + half) % LANES for lane in range(LANES)])
        x = builder.fadd(x, builder.shuffle_vector(x, x, other))
    return builder.extract_element(x, ir.Constant(INT32, 0))


@operation(int, Ints)
def total_ints(builder: Builder, x: Value) -> Value:
    """Of all sixteen."""
    return builder.sext(call(builder, "llvm.vector.reduce.add.v16i32", INT32, x), INT64)


@operation(None)
def pause(builder: Builder) -> None:
    """Let the core's other thread work: for loops that wait."""
    call(builder, "llvm.x86.sse2.pause", ir.VoidType())


@operation(int)
def count_cycles(builder: Builder) -> Value:
    """Of the processor's clock, since some moment."""
    return call(builder, "llvm.readcyclecounter", INT64)
