"""Loads, stores and atomic operations at raw addresses. Nothing checks them: the caller must."""

from llvmlite import ir

from demo.engines.local.runners.cpu_llama.kernels import compiled
from demo.engines.local.runners.cpu_llama.kernels.simd import (
    BYTE,
    FLOATS,
    INT32,
    INT64,
    INTS,
    LANES,
    Builder,
    Floats,
    Ints,
    Value,
    constant,
    instruction,
    splat_value,
)


def _at(builder: Builder, address: Value, kind: ir.Type) -> Value:
    return builder.inttoptr(address, kind.as_pointer())


@instruction(Floats, int)
def load_floats(builder: Builder, address: Value) -> Value:
    """16 consecutive float32."""
    return builder.load(_at(builder, address, FLOATS), align=4)


@instruction(Floats, int)
def load_float16(builder: Builder, address: Value) -> Value:
    """16 consecutive float16, converted to float32: VCVTPH2PS."""
    halfs = ir.VectorType(ir.HalfType(), LANES)
    return builder.fpext(builder.load(_at(builder, address, halfs), align=2), FLOATS)


@instruction(Floats, int)
def load_bfloat16(builder: Builder, address: Value) -> Value:
    """16 consecutive bfloat16, which are the upper halves of float32."""
    bits = builder.load(_at(builder, address, ir.VectorType(ir.IntType(16), LANES)), align=2)
    return builder.bitcast(builder.shl(builder.zext(bits, INTS), constant(INTS, 16)), FLOATS)


@instruction(None, int, Floats)
def store_floats(builder: Builder, address: Value, x: Value) -> None:
    """16 consecutive float32."""
    builder.store(x, _at(builder, address, FLOATS), align=4)


@instruction(Ints, int)
def load_bytes(builder: Builder, address: Value) -> Value:
    """64 consecutive bytes."""
    return builder.load(_at(builder, address, INTS), align=1)


@instruction(None, int, Ints)
def store_bytes(builder: Builder, address: Value, x: Value) -> None:
    """The lowest byte of each lane, 16 consecutive bytes."""
    lowest = ir.VectorType(BYTE, LANES)
    builder.store(builder.trunc(x, lowest), _at(builder, address, lowest), align=1)


@instruction(Ints, int)
def splat_bytes(builder: Builder, address: Value) -> Value:
    """Four bytes, repeated in all 16 lanes."""
    return splat_value(builder, builder.load(_at(builder, address, INT32), align=4), INTS)


@instruction(float, int)
def read_float(builder: Builder, address: Value) -> Value:
    """One float32."""
    return builder.load(_at(builder, address, ir.FloatType()), align=4)


@instruction(None, int, float)
def write_float(builder: Builder, address: Value, x: Value) -> None:
    """One float32."""
    builder.store(x, _at(builder, address, ir.FloatType()), align=4)


@instruction(None, int, float)
def write_float16(builder: Builder, address: Value, x: Value) -> None:
    """One float16, rounded to nearest from float32: VCVTPS2PH."""
    builder.store(builder.fptrunc(x, ir.HalfType()), _at(builder, address, ir.HalfType()), align=2)


@instruction(None, int, int)
def write_int(builder: Builder, address: Value, x: Value) -> None:
    """One int32."""
    builder.store(builder.trunc(x, INT32), _at(builder, address, INT32), align=4)


@instruction(int, int)
def read_long(builder: Builder, address: Value) -> Value:
    """One int64."""
    return builder.load(_at(builder, address, INT64), align=8)


@instruction(int, int, int)
def atomic_add(builder: Builder, address: Value, x: Value) -> Value:
    """Add x to an int64 shared between threads; returns its old value."""
    return builder.atomic_rmw("add", _at(builder, address, INT64), x, "seq_cst")


@instruction(None, int, int)
def atomic_store(builder: Builder, address: Value, x: Value) -> None:
    """Store an int64 shared between threads, sequentially consistent."""
    builder.store_atomic(x, _at(builder, address, INT64), "seq_cst", 8)


@instruction(int, int, int, int)
def compare_and_swap(builder: Builder, address: Value, old: Value, new: Value) -> Value:
    """Replace an int64 shared between threads if it is still `old`; 1 if this thread did, else 0."""
    result = builder.cmpxchg(_at(builder, address, INT64), old, new, "seq_cst")
    return builder.zext(builder.extract_value(result, 1), INT64)


@instruction(int, int)
def atomic_load(builder: Builder, address: Value) -> Value:
    """Load an int64 shared between threads, sequentially consistent."""
    return builder.load_atomic(_at(builder, address, INT64), "seq_cst", 8)


@compiled
def copy_numbers(source: int, out: int, length: int, add: int) -> None:
    """Copy `length` float32 numbers, or groups of four bytes; with `add`, add them to what is there."""
    whole = length - length % LANES
    for at in range(0, 4 * whole, 4 * LANES):
        x = load_floats(source + at)
        store_floats(out + at, load_floats(out + at) + x if add else x)
    for at in range(4 * whole, 4 * length, 4):
        y = read_float(source + at)
        write_float(out + at, read_float(out + at) + y if add else y)
