"""What is read and written at addresses, in kernels: whoever computes one answers for what lies there."""

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
    operation,
    spread_out,
)


def _at(builder: Builder, address: Value, kind: ir.Type) -> Value:
    return builder.inttoptr(address, kind.as_pointer())


@operation(Floats, int)
def load_floats(builder: Builder, address: Value) -> Value:
    """Sixteen float32 in a row."""
    return builder.load(_at(builder, address, FLOATS), align=4)


@operation(Floats, int)
def load_halfs(builder: Builder, address: Value) -> Value:
    """Sixteen float16 in a row."""
    halfs = ir.VectorType(ir.HalfType(), LANES)
    return builder.fpext(builder.load(_at(builder, address, halfs), align=2), FLOATS)


@operation(Floats, int)
def load_bfloats(builder: Builder, address: Value) -> Value:
    """Sixteen bfloat16 in a row: the upper halves of float32."""
    bits = builder.load(_at(builder, address, ir.VectorType(ir.IntType(16), LANES)), align=2)
    return builder.bitcast(builder.shl(builder.zext(bits, INTS), constant(INTS, 16)), FLOATS)


@operation(None, int, Floats)
def store_floats(builder: Builder, address: Value, x: Value) -> None:
    """Sixteen float32 in a row."""
    builder.store(x, _at(builder, address, FLOATS), align=4)


@operation(Ints, int)
def load_bytes(builder: Builder, address: Value) -> Value:
    """64 bytes in a row."""
    return builder.load(_at(builder, address, INTS), align=1)


@operation(None, int, Ints)
def store_bytes(builder: Builder, address: Value, x: Value) -> None:
    """The lowest byte of each, 16 in a row."""
    lowest = ir.VectorType(BYTE, LANES)
    builder.store(builder.trunc(x, lowest), _at(builder, address, lowest), align=1)


@operation(Ints, int)
def spread_bytes(builder: Builder, address: Value) -> Value:
    """Four bytes, sixteen times."""
    return spread_out(builder, builder.load(_at(builder, address, INT32), align=4), INTS)


@operation(float, int)
def read_float(builder: Builder, address: Value) -> Value:
    """One float32."""
    return builder.load(_at(builder, address, ir.FloatType()), align=4)


@operation(None, int, float)
def write_float(builder: Builder, address: Value, x: Value) -> None:
    """One float32."""
    builder.store(x, _at(builder, address, ir.FloatType()), align=4)


@operation(None, int, int)
def write_int(builder: Builder, address: Value, x: Value) -> None:
    """One int32."""
    builder.store(builder.trunc(x, INT32), _at(builder, address, INT32), align=4)


@operation(int, int)
def read_long(builder: Builder, address: Value) -> Value:
    """One int64."""
    return builder.load(_at(builder, address, INT64), align=8)


@operation(int, int, int)
def add_atomically(builder: Builder, address: Value, x: Value) -> Value:
    """To the int64 that several threads see: what it was before."""
    return builder.atomic_rmw("add", _at(builder, address, INT64), x, "seq_cst")


@operation(None, int, int)
def write_atomically(builder: Builder, address: Value, x: Value) -> None:
    """The int64 that other threads read, before whatever is read after it."""
    builder.store_atomic(x, _at(builder, address, INT64), "seq_cst", 8)


@operation(int, int, int, int)
def replace_atomically(builder: Builder, address: Value, old: Value, new: Value) -> Value:
    """Of threads that want to replace the same int64, one does: 1 for that one, 0 for the others."""
    result = builder.cmpxchg(_at(builder, address, INT64), old, new, "seq_cst")
    return builder.zext(builder.extract_value(result, 1), INT64)


@operation(int, int)
def read_atomically(builder: Builder, address: Value) -> Value:
    """The int64 that other threads change."""
    return builder.load_atomic(_at(builder, address, INT64), "seq_cst", 8)


@compiled
def copy_numbers(source: int, out: int, length: int, add: int) -> None:
    """`length` float32 numbers, or bytes in fours; added to those there if `add`."""
    whole = length - length % LANES
    for at in range(0, 4 * whole, 4 * LANES):
        x = load_floats(source + at)
        store_floats(out + at, load_floats(out + at) + x if add else x)
    for at in range(4 * whole, 4 * length, 4):
        y = read_float(source + at)
        write_float(out + at, read_float(out + at) + y if add else y)
