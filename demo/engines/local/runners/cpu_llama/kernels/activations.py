"""What lies between the products: vectors that are normalised, gated, and rounded to eight bits for the next product.

Rounded, a vector is groups of 32: 32 signed bytes q, their scale and scale · Σq as float32, and −128 · Σq as int32.
The sums are for weights with an offset: four bits have one for each group, eight bits are stored plus 128.
"""

from demo.engines.local.runners.cpu_llama.kernels import compiled
from demo.engines.local.runners.cpu_llama.kernels.arithmetic import (
    absolute,
    fma,
    larger,
    largest,
    no_floats,
    power_of_two,
    smaller,
    spread,
    to_floats,
    to_ints,
    total,
    total_ints,
)
from demo.engines.local.runners.cpu_llama.kernels.memory import (
    load_floats,
    store_bytes,
    store_floats,
    write_float,
    write_int,
)
from demo.engines.local.runners.cpu_llama.kernels.simd import LANES, Floats

GROUP = 32  # numbers that share a scale
GROUP_BYTES = 48
SCALE, SUM, BIAS = 32, 36, 40  # where in a group's bytes


@compiled
def normalise(x: int, weight: int, epsilon: float, length: int, out: int) -> None:
    """x over its root mean square, times a weight (arXiv:1910.07467): all float32 [length]."""
    squares = no_floats()
    for at in range(0, 4 * length, 4 * LANES):
        squares = fma(load_floats(x + at), load_floats(x + at), squares)
    scale = spread(1 / (total(squares) / length + epsilon) ** 0.5)
    for at in range(0, 4 * length, 4 * LANES):
        store_floats(out + at, load_floats(x + at) * scale * load_floats(weight + at))


@compiled
def gate(x: int, up: int, length: int, out: int) -> None:
    """silu(x) · up, silu being x / (1 + e⁻ˣ) (arXiv:2002.05202): all float32 [length]."""
    one = spread(1.0)
    for at in range(0, 4 * length, 4 * LANES):
        gated = load_floats(x + at)
        store_floats(out + at, gated / (one + exponential(no_floats() - gated)) * load_floats(up + at))


@compiled
def exponential(x: Floats) -> Floats:
    """eˣ within 2⁻²³, as Cephes computes it: x = n · ln 2 + r, and a polynomial of r."""
    x = smaller(larger(x, spread(-87.0)), spread(88.0))
    n = to_ints(x * spread(1.44269504088896341))
    r = fma(to_floats(n), spread(-0.693359375), x)
    r = fma(to_floats(n), spread(2.12194440e-4), r)
    series = spread(1.9875691500e-4)
    series = fma(series, r, spread(1.3981999507e-3))
    series = fma(series, r, spread(8.3334519073e-3))
    series = fma(series, r, spread(4.1665795894e-2))
    series = fma(series, r, spread(1.6666665459e-1))
    series = fma(series, r, spread(5.0000001201e-1))
    return fma(series, r * r, r + spread(1.0)) * power_of_two(n)


@compiled
def round_to_bytes(x: int, length: int, out: int) -> None:
    """Groups of x float32 [length], each with the scale that makes the largest number 127."""
    for _ in range(length // GROUP):
        first, second = load_floats(x), load_floats(x + 4 * LANES)
        extent = largest(larger(absolute(first), absolute(second)))
        inverse = spread(127 / extent if extent > 0 else 0.0)
        low, high = to_ints(first * inverse), to_ints(second * inverse)
        store_bytes(out, low)
        store_bytes(out + LANES, high)
        sum = total_ints(low + high)
        scale = extent / 127
        write_float(out + SCALE, scale)
        write_float(out + SUM, scale * sum)
        write_int(out + BIAS, -128 * sum)
        x += 4 * GROUP
        out += GROUP_BYTES
