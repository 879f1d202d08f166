"""Operations between matrix products: RMSNorm, SiLU and GELU gates, and quantization of activations to 8 bits.

A quantized vector consists of groups of 32: 32 signed bytes q, their scale and scale · Σq as float32, and −128 · Σq
as int32. The sums serve weights with an offset: Q4 and Q8_OFFSET have one for each group, Q8 is stored plus 128. A
group that holds NaN or infinity gets the scale NaN, so that every product with it is NaN.
"""

import numpy as np

from demo.engines.local.runners.cpu_llama.kernels import compiled
from demo.engines.local.runners.cpu_llama.kernels.memory import (
    load_floats,
    store_bytes,
    store_floats,
    write_float,
    write_int,
)
from demo.engines.local.runners.cpu_llama.kernels.simd import (
    LANES,
    Floats,
    fma,
    maximum,
    minimum,
    power_of_two,
    reduce_add,
    reduce_add_ints,
    reduce_max_magnitude,
    round_to_ints,
    splat,
    to_floats,
    zero_floats,
)

GROUP = 32  # numbers that share a scale
GROUP_BYTES = 48
SCALE, SUM, BIAS = 32, 36, 40  # byte offsets in a group
SMALLEST, LARGEST = 1e-30, 3.4028234663852886e38  # magnitudes that are quantized; below is 0, above is infinity


@compiled
def rms_norm(x: int, weight: int, epsilon: float, length: int, out: int) -> None:
    """RMSNorm (arXiv:1910.07467) of float32 [length]; NaN where the sum of squares is not finite."""
    squares = zero_floats()
    for at in range(0, 4 * length, 4 * LANES):
        squares = fma(load_floats(x + at), load_floats(x + at), squares)
    mean = reduce_add(squares) / length
    scale = splat(1 / (mean + epsilon) ** 0.5 + mean * 0)  # infinity · 0 is NaN
    for at in range(0, 4 * length, 4 * LANES):
        store_floats(out + at, load_floats(x + at) * scale * load_floats(weight + at))


@compiled
def silu_mul(gate: int, up: int, length: int, out: int) -> None:
    """silu(gate) · up, with silu(x) = x / (1 + e⁻ˣ) (arXiv:2002.05202), of float32 [length]."""
    one = splat(1.0)
    for at in range(0, 4 * length, 4 * LANES):
        x = load_floats(gate + at)
        store_floats(out + at, x / (one + exp(zero_floats() - x)) * load_floats(up + at))


@compiled
def gelu_mul(gate: int, up: int, length: int, out: int) -> None:
    """gelu(gate) · up, with the approximation by tanh of arXiv:1606.08415, of float32 [length].

    0.5 · (1 + tanh z) = 1 / (1 + e⁻²ᶻ).
    """
    one = splat(1.0)
    for at in range(0, 4 * length, 4 * LANES):
        x = load_floats(gate + at)
        twice = splat(-1.5957691216057308) * x * fma(splat(0.044715) * x, x, one)
        store_floats(out + at, x / (one + exp(twice)) * load_floats(up + at))


@compiled
def exp(x: Floats) -> Floats:
    """eˣ within 2⁻²³ for x from -87 to 88, clamped to that; NaN stays NaN.

    The method is that of Cephes: x = n · ln 2 + r, and a polynomial in r.
    """
    x = minimum(splat(88.0), maximum(splat(-87.0), x))
    n = round_to_ints(x * splat(1.44269504088896341))
    r = fma(to_floats(n), splat(-0.693359375), x)
    r = fma(to_floats(n), splat(2.12194440e-4), r)
    series = splat(1.9875691500e-4)
    series = fma(series, r, splat(1.3981999507e-3))
    series = fma(series, r, splat(8.3334519073e-3))
    series = fma(series, r, splat(4.1665795894e-2))
    series = fma(series, r, splat(1.6666665459e-1))
    series = fma(series, r, splat(5.0000001201e-1))
    return fma(series, r * r, r + splat(1.0)) * power_of_two(n)


@compiled
def quantize_q8(x: int, length: int, out: int) -> None:
    """Quantize float32 [length] in groups, each with the scale that makes its largest magnitude 127."""
    for _ in range(length // GROUP):
        first, second = load_floats(x), load_floats(x + 4 * LANES)
        extent = reduce_max_magnitude(first, second)
        inverse = splat(127 / extent if extent > SMALLEST else 0.0)
        low, high = round_to_ints(first * inverse), round_to_ints(second * inverse)
        store_bytes(out, low)
        store_bytes(out + LANES, high)
        sum = reduce_add_ints(low + high)
        scale = extent / 127 if extent <= LARGEST else np.nan
        write_float(out + SCALE, scale)
        write_float(out + SUM, scale * sum)
        write_int(out + BIAS, -128 * sum)
        x += 4 * GROUP
        out += GROUP_BYTES
