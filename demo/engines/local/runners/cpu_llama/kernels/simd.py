"""SIMD vectors of 16 lanes as numba types, and the decorator that defines an instruction on them.

An instruction here is one or a few LLVM instructions (LLVM language reference; Intel's intrinsics guide for names that
begin with V). On a processor with shorter vectors LLVM splits it.
"""

import operator
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import ConcreteTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_jitable, register_model

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
