"""Grouped-query attention (arXiv:2305.13245) over a paged KV cache (arXiv:2309.06180).

A page holds keys and values of PAGE tokens for all layers and KV heads, as float16; arithmetic is float32. Of each head
it holds keys [PAGE / 16, head size, 16] and values [width / 16, PAGE, 16], width being the head size rounded up to
whole vectors, so that attention reads memory sequentially. A token's result depends only on the tokens up to itself.

A page never holds a value that is not finite: see `append_kv`. What a page was used for before changes no result.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable

from demo.engines.local.runners.cpu_llama.kernels import compiled
from demo.engines.local.runners.cpu_llama.kernels.activations import exp
from demo.engines.local.runners.cpu_llama.kernels.memory import (
    load_float16,
    load_floats,
    read_float,
    read_long,
    store_floats,
    write_float,
    write_float16,
)
from demo.engines.local.runners.cpu_llama.kernels.simd import (
    LANES,
    Floats,
    fma,
    keep_first,
    maximum,
    reduce_add,
    reduce_max,
    round_up,
    splat,
    zero_floats,
)

PAGE = 128  # tokens

# The type of the numbers in pages: bytes of one, bytes of a vector, the largest that is finite, load and store.
NUMBER, VECTOR, LARGEST = 2, 2 * LANES, 65504.0
load_numbers: Callable[[int], Floats] = load_float16
write_number: Callable[[int, float], None] = write_float16


@register_jitable
def measure_head(size: int) -> int:
    """Bytes of a page for one KV head, of this size, of one layer."""
    return NUMBER * PAGE * (size + round_up(size))


def measure_page(layers: int, kv_heads: int, head_size: int) -> int:
    """Bytes of a page."""
    return layers * kv_heads * measure_head(head_size)


@compiled
def apply_rope(head: int, rotations: int, size: int, out: int) -> None:
    """Rotate a head's numbers 2i and 2i + 1 (arXiv:2104.09864) by `rotations` [size / 2] of cosine and sine."""
    for at in range(0, 4 * size, 8):
        x, y = read_float(head + at), read_float(head + at + 4)
        cosine, sine = read_float(rotations + at), read_float(rotations + at + 4)
        write_float(out + at, x * cosine - y * sine)
        write_float(out + at + 4, x * sine + y * cosine)


@compiled
def append_kv(key: int, value: int, head: int, slot: int, size: int) -> None:
    """Store a token's key and value, float32 [size], in a slot of the page's part at the address `head`.

    Where one of their numbers is not finite as float16, the key becomes NaN and the value zero: all queries that see
    the token get NaN, and queries before it, whose weight for it is zero, get what they would without it.
    """
    keys = head + NUMBER * (slot // LANES * size * LANES + slot % LANES)
    values = head + NUMBER * (PAGE * size + slot * LANES)
    fits = _fits(key, size) and _fits(value, size)
    for number in range(size):
        at = values + NUMBER * (number // LANES * PAGE * LANES + number % LANES)
        write_number(keys + VECTOR * number, read_float(key + 4 * number) if fits else np.nan)
        write_number(at, read_float(value + 4 * number) if fits else 0.0)


@compiled
def _fits(numbers: int, size: int) -> bool:
    fitting = 0
    for at in range(numbers, numbers + 4 * size, 4):
        fitting += abs(read_float(at)) <= LARGEST
    return fitting == size


class AttentionArgs(NamedTuple):
    """Queries of a tile of consecutive tokens, of the heads that share a KV head, and scratch for their scores."""

    queries: int  # address of float32 [tokens, heads, size], a token's every `stride` bytes
    stride: int
    tokens: int
    heads: int
    size: int
    width: int
    scores: int  # address of float32 [tokens · heads, context in whole vectors + width], every `row` bytes
    row: int
    window: int  # tokens that a query sees, itself among them; 0: all before it


@compiled
def attend(args: AttentionArgs, pages: int, head: int, context: int, out: int, stride: int) -> None:
    """Attention of a tile: float32 [tokens, heads, size], a token's every `stride` bytes from `out`.

    `pages` is the address of the pages' addresses, `head` the KV head's offset in a page. The first token sees
    `context` tokens, each of the next one more.
    """
    queries, longest = args.tokens * args.heads, context + args.tokens - 1
    begin = _find_start(args, context) // PAGE * PAGE  # no query sees a token of an earlier page
    for first in range(begin, longest, PAGE):
        keys = read_long(pages + 8 * (first // PAGE)) + head
        end = min(PAGE, longest - first)
        for number in range(0, queries - 2, 4):
            _score_x4(args, number, keys, end, 4 * first)
        for number in range(queries - queries % 4, queries if queries % 4 < 3 else 0):
            _score(args, number, keys, end, 4 * first)
    for number in range(queries):
        seen = context + number // args.heads
        _softmax(args.scores + number * args.row, begin, _find_start(args, seen), seen, longest, args.width)
    for first in range(begin, longest, PAGE):
        values = read_long(pages + 8 * (first // PAGE)) + head + NUMBER * PAGE * args.size
        end = min(PAGE, longest - first)
        for number in range(0, queries - 2, 4):
            _weighted_sum_x4(args, number, values, end, 4 * first, longest)
        for number in range(queries - queries % 4, queries if queries % 4 < 3 else 0):
            _weighted_sum(args, number, values, end, 4 * first, longest)
    for number in range(queries):
        sums = _find_sums(args, number, longest)
        there = out + number // args.heads * stride + number % args.heads * 4 * args.size
        for at in range(0, 4 * args.size, 4):
            write_float(there + at, read_float(sums + at))


@compiled
def _find_start(args: AttentionArgs, context: int) -> int:
    """The first token that a query sees, which is the last of `context` tokens."""
    return max(context - args.window, 0) if args.window else 0


@compiled
def _find_query(args: AttentionArgs, number: int) -> int:
    return args.queries + number // args.heads * args.stride + number % args.heads * 4 * args.size


@compiled
def _find_sums(args: AttentionArgs, number: int, longest: int) -> int:
    """The address of a query's weighted sum of values: behind its scores."""
    return args.scores + number * args.row + 4 * round_up(longest)


@compiled
def _find_last(args: AttentionArgs, number: int) -> int:
    """The last of four queries from `number` on, or of three: they are computed as four of which two are the same."""
    return min(number + 3, args.tokens * args.heads - 1)


@compiled
def _score(args: AttentionArgs, number: int, keys: int, tokens: int, at: int) -> None:
    """Scaled dot products of a query with one page's keys, in whole vectors, to its scores from byte `at` on."""
    query, scale = _find_query(args, number), splat(1 / args.size**0.5)
    out = args.scores + number * args.row + at
    for block in range(out, out + 4 * round_up(tokens), 4 * LANES):
        a = aa = zero_floats()
        for place in range(query, query + 4 * args.size, 8):
            a = fma(load_numbers(keys), splat(read_float(place)), a)
            aa = fma(load_numbers(keys + VECTOR), splat(read_float(place + 4)), aa)
            keys += 2 * VECTOR
        store_floats(block, (a + aa) * scale)


@compiled
def _score_x4(args: AttentionArgs, number: int, keys: int, tokens: int, at: int) -> None:
    """`_score` of four queries, which share the loads of keys."""
    scale, row, last = splat(1 / args.size**0.5), args.row, _find_last(args, number)
    q, r = _find_query(args, number), _find_query(args, number + 1)
    s, t = _find_query(args, number + 2), _find_query(args, last)
    out, last_row = args.scores + number * row + at, (last - number) * row
    for block in range(out, out + 4 * round_up(tokens), 4 * LANES):
        a = b = c = d = aa = bb = cc = dd = zero_floats()
        for place in range(0, 4 * args.size, 8):
            even, odd = load_numbers(keys), load_numbers(keys + VECTOR)
            a, aa = fma(even, splat(read_float(q + place)), a), fma(odd, splat(read_float(q + place + 4)), aa)
            b, bb = fma(even, splat(read_float(r + place)), b), fma(odd, splat(read_float(r + place + 4)), bb)
            c, cc = fma(even, splat(read_float(s + place)), c), fma(odd, splat(read_float(s + place + 4)), cc)
            d, dd = fma(even, splat(read_float(t + place)), d), fma(odd, splat(read_float(t + place + 4)), dd)
            keys += 2 * VECTOR
        store_floats(block, (a + aa) * scale)
        store_floats(block + row, (b + bb) * scale)
        store_floats(block + 2 * row, (c + cc) * scale)
        store_floats(block + last_row, (d + dd) * scale)


@compiled
def _softmax(scores: int, begin: int, start: int, context: int, longest: int, width: int) -> None:
    """Softmax over the tokens from `start` to `context`, which a query sees, in place; zeros for the others.

    There are scores from `begin` on, and zeros up to `longest`, and for the sums behind them. One score that is NaN or
    +infinity makes all weights NaN.
    """
    for at in range(scores + 4 * begin, scores + 4 * start, 4):
        write_float(at, -np.inf)
    greatest = keep_first(load_floats(scores + 4 * begin), context - begin, -np.inf)
    for first in range(begin + LANES, context, LANES):
        greatest = maximum(greatest, keep_first(load_floats(scores + 4 * first), context - first, -np.inf))
    most = splat(reduce_max(greatest))
    sums = zero_floats()
    for first in range(begin, context, LANES):
        weight = keep_first(exp(load_floats(scores + 4 * first) - most), context - first, 0.0)
        store_floats(scores + 4 * first, weight)
        sums = sums + weight
    for at in range(scores + 4 * begin, scores + 4 * start, 4):
        write_float(at, 0.0)  # `exp` is never zero
    scale = splat(1 / reduce_add(sums))
    for at in range(4 * begin, 4 * round_up(context), 4 * LANES):
        store_floats(scores + at, load_floats(scores + at) * scale)
    for at in range(4 * round_up(context), 4 * round_up(longest) + 4 * width, 4 * LANES):
        store_floats(scores + at, zero_floats())


@compiled
def _weighted_sum(args: AttentionArgs, number: int, values: int, tokens: int, at: int, longest: int) -> None:
    """Add one page's values, times a query's weights from byte `at` on, to its sums."""
    sums, weights = _find_sums(args, number, longest), args.scores + number * args.row + at
    for vector in range(args.width // LANES):
        value, there = values + vector * VECTOR * PAGE, sums + 4 * LANES * vector
        a, aa = load_floats(there), zero_floats()
        for weight in range(weights, weights + 4 * round_up(tokens), 8):
            a = fma(load_numbers(value), splat(read_float(weight)), a)
            aa = fma(load_numbers(value + VECTOR), splat(read_float(weight + 4)), aa)
            value += 2 * VECTOR
        store_floats(there, a + aa)


@compiled
def _weighted_sum_x4(args: AttentionArgs, number: int, values: int, tokens: int, at: int, longest: int) -> None:
    """`_weighted_sum` of four queries, which share the loads of values."""
    sums, weights = _find_sums(args, number, longest), args.scores + number * args.row + at
    row, last_row = args.row, (_find_last(args, number) - number) * args.row
    for vector in range(args.width // LANES):
        value, there = values + vector * VECTOR * PAGE, sums + 4 * LANES * vector
        a, b = load_floats(there), load_floats(there + row)
        c, d = load_floats(there + 2 * row), load_floats(there + last_row)
        aa = bb = cc = dd = zero_floats()
        for q in range(weights, weights + 4 * round_up(tokens), 8):
            r, s, t = q + row, q + 2 * row, q + last_row
            even, odd = load_numbers(value), load_numbers(value + VECTOR)
            a, aa = fma(even, splat(read_float(q)), a), fma(odd, splat(read_float(q + 4)), aa)
            b, bb = fma(even, splat(read_float(r)), b), fma(odd, splat(read_float(r + 4)), bb)
            c, cc = fma(even, splat(read_float(s)), c), fma(odd, splat(read_float(s + 4)), cc)
            d, dd = fma(even, splat(read_float(t)), d), fma(odd, splat(read_float(t + 4)), dd)
            value += 2 * VECTOR
        store_floats(there, a + aa)
        store_floats(there + row, b + bb)
        store_floats(there + 2 * row, c + cc)
        store_floats(there + last_row, d + dd)
