"""Loads, stores and atomic operations at raw addresses. Nothing checks the addresses."""

from collections.abc import Callable

from llvmlite import ir

from demo.engines.local.runners.cpu_llama.kernels import compiled
from demo.engines.local.runners.cpu_llama.kernels.simd import (
    FLOAT16,
    FLOAT32,
    FLOATS,
    INT8,
    INT32,
    INT64,
    INTS,
    LANES,
    Builder,
    Floats,
    Ints,
    Result,
    Value,
    constant,
    instruction,
    splat_value,
)


def _at(builder: Builder, address: Value, kind: ir.Type) -> Value:
    return builder.inttoptr(address, kind.as_pointer())


def _load(result: type[Result], kind: ir.Type, align: int) -> Callable[[int], Result]:
    """The instruction that loads a `kind` from an address that is a multiple of `align`."""
    return instruction(result, int)(lambda builder, address: builder.load(_at(builder, address, kind), align=align))


def _store(value: type, kind: ir.Type, align: int) -> Callable[..., None]:
    return instruction(None, int, value)(
        lambda builder, address, x: builder.store(x, _at(builder, address, kind), align=align)
    )


load_floats, store_floats = _load(Floats, FLOATS, 4), _store(Floats, FLOATS, 4)  # 16 consecutive float32
load_bytes = _load(Ints, INTS, 1)  # 64 consecutive bytes
read_float, write_float = _load(float, FLOAT32, 4), _store(float, FLOAT32, 4)
read_long = _load(int, INT64, 8)  # int64


@instruction(Floats, int)
def load_float16(builder: Builder, address: Value) -> Value:
    """16 consecutive float16, converted to float32: VCVTPH2PS."""
    return builder.fpext(builder.load(_at(builder, address, ir.VectorType(FLOAT16, LANES)), align=2), FLOATS)


@instruction(Floats, int)
def load_bfloat16(builder: Builder, address: Value) -> Value:
    """16 consecutive bfloat16, which are the upper halves of float32."""
    bits = builder.load(_at(builder, address, ir.VectorType(ir.IntType(16), LANES)), align=2)
    return builder.bitcast(builder.shl(builder.zext(bits, INTS), constant(INTS, 16)), FLOATS)


@instruction(None, int, Ints)
def store_bytes(builder: Builder, address: Value, x: Value) -> None:
    """The lowest byte of each lane, 16 consecutive bytes."""
    lowest = ir.VectorType(INT8, LANES)
    builder.store(builder.trunc(x, lowest), _at(builder, address, lowest), align=1)


@instruction(Ints, int)
def splat_bytes(builder: Builder, address: Value) -> Value:
    """Four bytes, repeated in all 16 lanes."""
    return splat_value(builder, builder.load(_at(builder, address, INT32), align=4), INTS)


@instruction(None, int, float)
def write_float16(builder: Builder, address: Value, x: Value) -> None:
    """One float16, rounded to nearest from float32: VCVTPS2PH."""
    builder.store(builder.fptrunc(x, FLOAT16), _at(builder, address, FLOAT16), align=2)


@instruction(None, int, int)
def write_int(builder: Builder, address: Value, x: Value) -> None:
    """One int32."""
    builder.store(builder.trunc(x, INT32), _at(builder, address, INT32), align=4)


# The atomic operations on int64 are sequentially consistent.
@instruction(int, int, int)
def atomic_add(builder: Builder, address: Value, x: Value) -> Value:
    """Add x; returns the old value."""
    return builder.atomic_rmw("add", _at(builder, address, INT64), x, "seq_cst")


@instruction(None, int, int)
def atomic_store(builder: Builder, address: Value, x: Value) -> None:
    builder.store_atomic(x, _at(builder, address, INT64), "seq_cst", 8)


@instruction(int, int)
def atomic_load(builder: Builder, address: Value) -> Value:
    return builder.load_atomic(_at(builder, address, INT64), "seq_cst", 8)


@instruction(int, int, int, int)
def compare_and_swap(builder: Builder, address: Value, old: Value, new: Value) -> Value:
    """Replace `old` by `new`; 1 if the int64 was `old`, else 0."""
    result = builder.cmpxchg(_at(builder, address, INT64), old, new, "seq_cst")
    return builder.zext(builder.extract_value(result, 1), INT64)


@compiled
def copy_numbers(source: int, out: int, length: int, add: int) -> None:
    """Copy `length` float32 numbers, or groups of four bytes; with `add`, add them to the numbers at `out`."""
    whole = length - length % LANES
    for at in range(0, 4 * whole, 4 * LANES):
        x = load_floats(source + at)
        store_floats(out + at, load_floats(out + at) + x if add else x)
    for at in range(4 * whole, 4 * length, 4):
        y = read_float(source + at)
        write_float(out + at, read_float(out + at) + y if add else y)
