"""Grouped-query attention (arXiv:2305.13245) over keys and values that are remembered in pages (arXiv:2309.06180).

A page holds PAGE columns of all layers and heads: of each, keys [PAGE / 16, head size, 16] and values
[width / 16, PAGE, 16], width being the head size, filled up to whole lanes: what is read next is what comes next.
What a token gets depends on nothing but the columns up to its own.
"""

from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable

from demo.engines.local.runners.cpu_llama.kernels import compiled
from demo.engines.local.runners.cpu_llama.kernels.activations import exponential
from demo.engines.local.runners.cpu_llama.kernels.arithmetic import (
    fill_up,
    fma,
    larger,
    largest,
    no_floats,
    spread,
    total,
)
from demo.engines.local.runners.cpu_llama.kernels.memory import (
    load_floats,
    read_float,
    read_long,
    store_floats,
    write_float,
)
from demo.engines.local.runners.cpu_llama.kernels.simd import LANES, fill_lanes

PAGE = 128  # columns


@register_jitable
def measure_part(size: int) -> int:
    """float32 numbers that a page holds of one head of one layer, of this size."""
    return PAGE * (size + fill_lanes(size))


@compiled
def turn(head: int, turns: int, size: int, out: int) -> None:
    """A head, its numbers 2i and 2i + 1 rotated (arXiv:2104.09864); turns [size / 2] of cosine and sine."""
    for at in range(0, 4 * size, 8):
        x, y = read_float(head + at), read_float(head + at + 4)
        cosine, sine = read_float(turns + at), read_float(turns + at + 4)
        write_float(out + at, x * cosine - y * sine)
        write_float(out + at + 4, x * sine + y * cosine)


@compiled
def remember(key: int, value: int, place: int, column: int, size: int) -> None:
    """Keep a head's key and value, float32 [size], as the column of a page whose part for this head is at `place`."""
    keys = place + 4 * (column // LANES * size * LANES + column % LANES)
    values = place + 4 * PAGE * size + 4 * LANES * column
    for number in range(size):
        write_float(keys + 4 * LANES * number, read_float(key + 4 * number))
        write_float(values + 4 * (number // LANES * PAGE * LANES + number % LANES), read_float(value + 4 * number))


class Asking(NamedTuple):
    """The queries of neighbouring tokens, of those heads that share a key, and scratch for what they find."""

    queries: int  # the address of float32 [tokens, heads, size], a token's every `pitch` bytes
    pitch: int
    tokens: int
    heads: int
    size: int
    width: int
    scores: int  # the address of float32 [tokens · heads, columns in whole lanes + width], every `row` bytes
    row: int


@compiled
def attend(asking: Asking, pages: int, part: int, columns: int, out: int, pitch: int) -> None:
    """What the queries find in the columns up to their own: float32 [tokens, heads, size], every `pitch` bytes.

    `pages` are addresses, `part` is where in each page these heads' part is; the first token sees so many columns.
    """
    queries, longest = asking.tokens * asking.heads, columns + asking.tokens - 1
    for first in range(0, longest, PAGE):
        keys = read_long(pages + 8 * (first // PAGE)) + part
        end = min(PAGE, longest - first)
        for number in range(0, queries - 3, 4):
            _score_four(asking, number, keys, end, 4 * first)
        for number in range(queries - queries % 4, queries):
            _score(asking, number, keys, end, 4 * first)
    for number in range(queries):
        _soften(asking.scores + number * asking.row, columns + number // asking.heads, longest, asking.width)
    for first in range(0, longest, PAGE):
        values = read_long(pages + 8 * (first // PAGE)) + part + 4 * PAGE * asking.size
        end = min(PAGE, longest - first)
        for number in range(0, queries - 3, 4):
            _mix_four(asking, number, values, end, 4 * first, longest)
        for number in range(queries - queries % 4, queries):
            _mix(asking, number, values, end, 4 * first, longest)
    for number in range(queries):
        mixed = _find_mixed(asking, number, longest)
        there = out + number // asking.heads * pitch + number % asking.heads * 4 * asking.size
        for at in range(0, 4 * asking.size, 4):
            write_float(there + at, read_float(mixed + at))


@compiled
def _find_query(asking: Asking, number: int) -> int:
    return asking.queries + number // asking.heads * asking.pitch + number % asking.heads * 4 * asking.size


@compiled
def _find_mixed(asking: Asking, number: int, longest: int) -> int:
    """Where a query's values are summed: behind its scores."""
    return asking.scores + number * asking.row + 4 * fill_lanes(longest)


@compiled
def _score(asking: Asking, number: int, keys: int, columns: int, at: int) -> None:
    """The scaled products with the keys of one page, in whole lanes, to the query's scores from the byte `at` on."""
    query, scale = _find_query(asking, number), spread(1 / asking.size**0.5)
    out = asking.scores + number * asking.row + at
    for block in range(0, 4 * fill_lanes(columns), 4 * LANES):
        a = aa = no_floats()
        for place in range(query, query + 4 * asking.size, 8):
            a = fma(load_floats(keys), spread(read_float(place)), a)
            aa = fma(load_floats(keys + 4 * LANES), spread(read_float(place + 4)), aa)
            keys += 8 * LANES
        store_floats(out + block, (a + aa) * scale)


@compiled
def _score_four(asking: Asking, number: int, keys: int, columns: int, at: int) -> None:
    """The same for four queries, for whom a key is loaded once."""
    scale, row = spread(1 / asking.size**0.5), asking.row
    q, r = _find_query(asking, number), _find_query(asking, number + 1)
    s, t = _find_query(asking, number + 2), _find_query(asking, number + 3)
    out = asking.scores + number * row + at
    for block in range(out, out + 4 * fill_lanes(columns), 4 * LANES):
        a = b = c = d = aa = bb = cc = dd = no_floats()
        for place in range(0, 4 * asking.size, 8):
            even, odd = load_floats(keys), load_floats(keys + 4 * LANES)
            a, aa = fma(even, spread(read_float(q + place)), a), fma(odd, spread(read_float(q + place + 4)), aa)
            b, bb = fma(even, spread(read_float(r + place)), b), fma(odd, spread(read_float(r + place + 4)), bb)
            c, cc = fma(even, spread(read_float(s + place)), c), fma(odd, spread(read_float(s + place + 4)), cc)
            d, dd = fma(even, spread(read_float(t + place)), d), fma(odd, spread(read_float(t + place + 4)), dd)
            keys += 8 * LANES
        store_floats(block, (a + aa) * scale)
        store_floats(block + row, (b + bb) * scale)
        store_floats(block + 2 * row, (c + cc) * scale)
        store_floats(block + 3 * row, (d + dd) * scale)


@compiled
def _soften(scores: int, columns: int, longest: int, width: int) -> None:
    """Softmax over a query's columns, in place; zeros for those up to the `longest`, and for the sums behind them."""
    greatest = fill_up(load_floats(scores), columns, -np.inf)
    for first in range(LANES, columns, LANES):
        greatest = larger(greatest, fill_up(load_floats(scores + 4 * first), columns - first, -np.inf))
    most = spread(largest(greatest))
    sums = no_floats()
    for first in range(0, columns, LANES):
        weight = fill_up(exponential(load_floats(scores + 4 * first) - most), columns - first, 0.0)
        store_floats(scores + 4 * first, weight)
        sums = sums + weight
    scale = spread(1 / total(sums))
    for at in range(0, 4 * fill_lanes(columns), 4 * LANES):
        store_floats(scores + at, load_floats(scores + at) * scale)
    for at in range(4 * fill_lanes(columns), 4 * fill_lanes(longest) + 4 * width, 4 * LANES):
        store_floats(scores + at, no_floats())


@compiled
def _mix(asking: Asking, number: int, values: int, columns: int, at: int, longest: int) -> None:
    """Add the weighted values of one page to what a query has found; its weights are from the byte `at` on."""
    mixed, weights = _find_mixed(asking, number, longest), asking.scores + number * asking.row + at
    for lane in range(0, 4 * asking.width, 4 * LANES):
        value = values + lane * PAGE
        a, aa = load_floats(mixed + lane), no_floats()
        for weight in range(weights, weights + 4 * fill_lanes(columns), 8):
            a = fma(load_floats(value), spread(read_float(weight)), a)
            aa = fma(load_floats(value + 4 * LANES), spread(read_float(weight + 4)), aa)
            value += 8 * LANES
        store_floats(mixed + lane, a + aa)


@compiled
def _mix_four(asking: Asking, number: int, values: int, columns: int, at: int, longest: int) -> None:
    """The same for four queries, for whom a value is loaded once."""
    mixed, weights = _find_mixed(asking, number, longest), asking.scores + number * asking.row + at
    row = asking.row
    for lane in range(0, 4 * asking.width, 4 * LANES):
        value, there = values + lane * PAGE, mixed + lane
        a, b = load_floats(there), load_floats(there + row)
        c, d = load_floats(there + 2 * row), load_floats(there + 3 * row)
        aa = bb = cc = dd = no_floats()
        for q in range(weights, weights + 4 * fill_lanes(columns), 8):
            r, s, t = q + row, q + 2 * row, q + 3 * row
            even, odd = load_floats(value), load_floats(value + 4 * LANES)
            a, aa = fma(even, spread(read_float(q)), a), fma(odd, spread(read_float(q + 4)), aa)
            b, bb = fma(even, spread(read_float(r)), b), fma(odd, spread(read_float(r + 4)), bb)
            c, cc = fma(even, spread(read_float(s)), c), fma(odd, spread(read_float(s + 4)), cc)
            d, dd = fma(even, spread(read_float(t)), d), fma(odd, spread(read_float(t + 4)), dd)
            value += 8 * LANES
        store_floats(there, a + aa)
        store_floats(there + row, b + bb)
        store_floats(there + 2 * row, c + cc)
        store_floats(there + 3 * row, d + dd)
