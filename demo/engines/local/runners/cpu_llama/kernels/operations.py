"""What a layer does, in stages: of each a thread's share, which counts if no other thread was faster with it.

No number depends on whose share it is. Vectors that are multiplied are float32, followed by the same in rounded groups.
"""

from typing import Any

from demo.engines.local.runners.cpu_llama.kernels import compiled, inlined
from demo.engines.local.runners.cpu_llama.kernels.activations import GROUP, GROUP_BYTES, gate, normalise, round_to_bytes
from demo.engines.local.runners.cpu_llama.kernels.attention import PAGE, Asking, attend, measure_part, remember, turn
from demo.engines.local.runners.cpu_llama.kernels.barrier import Share, claim, finish
from demo.engines.local.runners.cpu_llama.kernels.matmul import multiply
from demo.engines.local.runners.cpu_llama.kernels.memory import copy_numbers, read_long
from demo.engines.local.runners.cpu_llama.kernels.simd import LANES, fill_lanes

Record = Any  # numpy's: `now` is a PASS, `layer` a LAYER, `head` a HEAD

STAGES, HEAD_STAGES = 10, 2  # of a layer, and of the head
ASIDE = LANES  # numbers between rows, lest all of them want the same places of the processor's cache


@inlined
def do_share(now: Record, layer: Record, depth: int, stage: int, share: Share) -> None:
    """A share of a stage of the layer at that depth."""
    if stage == 0:
        _normalise(now, layer.attention_norm, now.tokens, 0, share)
    elif stage == 1:
        _project(now, layer.q, layer.k, layer.v, share)
    elif stage == 2:
        _remember(now, layer, depth, share)
    elif stage == 3:
        _attend(now, depth, share)
    elif stage == 4:
        _round_attention(now, share)
    elif stage == 5:
        _add_product(now, layer.out, share)
    elif stage == 6:
        _normalise(now, layer.mlp_norm, now.tokens, 0, share)
    elif stage == 7:
        _widen(now, layer.gate, layer.up, share)
    elif stage == 8:
        _gate(now, share)
    else:
        _add_product(now, layer.down, share)


@inlined
def do_share_of_head(now: Record, head: Record, stage: int, share: Share) -> None:
    """A share of a stage of the head."""
    if stage == 0:
        _normalise(now, head.norm, now.outputs, now.scored, share)
    else:
        _find_logits(now, head.matrix, share)


@inlined
def _cut(count: int, share: Share) -> tuple[int, int]:
    """The first of so many that are a share's, and the end."""
    return count * share.number // share.shares, count * (share.number + 1) // share.shares


@compiled
def _publish(out: int, pitch: int, rows: int, length: int, add: int, share: Share) -> None:
    """Put the result where it belongs: float32 [rows, length], every `pitch` bytes."""
    if claim(share):
        for at in range(out, out + pitch * rows, pitch):
            copy_numbers(at + share.shift, at, length, add)
        finish(share)


@compiled
def _normalise(now: Record, weight: int, count: int, chosen: int, share: Share) -> None:
    """Of the first tokens, or of those `chosen`."""
    first, end = _cut(count, share)
    for place in range(first, end):
        token = read_long(chosen + 8 * place) if chosen else place
        vector = now.vectors + now.vector * place + share.shift
        normalise(now.x + 4 * now.hidden * token, weight, now.epsilon, now.hidden, vector)
        round_to_bytes(vector, now.hidden, vector + 4 * now.hidden)
    length = now.hidden + now.hidden // GROUP * GROUP_BYTES // 4
    _publish(now.vectors + now.vector * first, now.vector, end - first, length, 0, share)


@compiled
def _multiply(
    now: Record, matrix: Record, before: int, tokens: int, out: int, pitch: int, first: int, end: int
) -> None:
    """Those of a matrix's tiles that are among the first to the end, where so many tiles come `before` it."""
    for tile in range(max(first - before, 0), min(end - before, matrix.rows // LANES)):
        at = matrix.tiles + matrix.tile_bytes * tile
        there = out + 4 * LANES * (before + tile)
        multiply(matrix.form, at, matrix.columns, now.vectors, now.vector, tokens, there, pitch)


@inlined
def _project(now: Record, q: Record, k: Record, v: Record, share: Share) -> None:
    """Queries, keys and values."""
    queries, keys = q.rows // LANES, k.rows // LANES
    first, end = _cut(queries + keys + v.rows // LANES, share)
    out = now.wide + share.shift
    _multiply(now, q, 0, now.tokens, out, now.pitch, first, end)
    _multiply(now, k, queries, now.tokens, out, now.pitch, first, end)
    _multiply(now, v, queries + keys, now.tokens, out, now.pitch, first, end)
    _publish(now.wide + 4 * LANES * first, now.pitch, now.tokens, LANES * (end - first), 0, share)


@compiled
def _remember(now: Record, layer: Record, depth: int, share: Share) -> None:
    """Turned keys, and values."""
    first, end = _cut(now.tokens, share)
    size = 4 * now.head_size
    keys, values = now.wide + 4 * layer.q.rows, now.wide + 4 * (layer.q.rows + layer.k.rows)
    for token in range(first, end):
        for key in range(keys + now.pitch * token, keys + now.pitch * token + size * now.kv_heads, size):
            turn(key, now.turns + size * token, now.head_size, key + share.shift)
    if claim(share):
        for token in range(first, end):
            position = read_long(now.positions + 8 * token)
            page = read_long(read_long(now.pages + 8 * token) + 8 * (position // PAGE))
            for head in range(now.kv_heads):
                at, place = now.pitch * token + size * head, page + _find_part(now, depth, head)
                remember(keys + at + share.shift, values + at, place, position % PAGE, now.head_size)
        finish(share)


@inlined
def _attend(now: Record, depth: int, share: Share) -> None:
    """Neighbouring tokens of one sequence, with the heads that share a key: so many are a share's."""
    first, end = _cut(now.runs * now.kv_heads, share)
    heads = now.heads // now.kv_heads
    for item in range(first, end):
        _attend_together(now, item // now.kv_heads, item % now.kv_heads, depth, share)
    if claim(share):
        for item in range(first, end):
            at = now.vectors + 4 * now.head_size * heads * (item % now.kv_heads)
            start, stop = _find_run(now, item // now.kv_heads)
            for there in range(at + now.vector * start, at + now.vector * stop, now.vector):
                copy_numbers(there + share.shift, there, heads * now.head_size, 0)
        finish(share)


@inlined
def _attend_together(now: Record, run: int, head: int, depth: int, share: Share) -> None:
    first, end = _find_run(now, run)
    heads, size = now.heads // now.kv_heads, 4 * now.head_size
    at = size * heads * head
    queries = now.wide + now.pitch * first + at
    for token in range(first, end):
        here = now.wide + now.pitch * token + at
        for query in range(here, here + size * heads, size):
            turn(query, now.turns + size * token, now.head_size, query + share.shift)
    scores = now.scores + now.scores_size * share.thread
    asking = Asking(
        queries + share.shift,
        now.pitch,
        end - first,
        heads,
        now.head_size,
        fill_lanes(now.head_size),
        scores,
        now.scores_row,
    )
    pages, columns = read_long(now.pages + 8 * first), read_long(now.positions + 8 * first) + 1
    out = now.vectors + now.vector * first + at + share.shift
    attend(asking, pages, _find_part(now, depth, head), columns, out, now.vector)


@inlined
def _find_run(now: Record, run: int) -> tuple[int, int]:
    """Its first token, and the end."""
    return read_long(now.starts + 8 * run), read_long(now.starts + 8 * run + 8)


@inlined
def _find_part(now: Record, depth: int, head: int) -> int:
    """Where in a page a layer's head has its keys and values."""
    parts: int = depth * now.kv_heads + head
    return 4 * parts * measure_part(now.head_size)


@compiled
def _round_attention(now: Record, share: Share) -> None:
    first, end = _cut(now.tokens, share)
    length = now.heads * now.head_size
    for vector in range(now.vectors + now.vector * first, now.vectors + now.vector * end, now.vector):
        round_to_bytes(vector, length, vector + 4 * length + share.shift)
    out = now.vectors + now.vector * first + 4 * length
    _publish(out, now.vector, end - first, length // GROUP * GROUP_BYTES // 4, 0, share)


@inlined
def _add_product(now: Record, matrix: Record, share: Share) -> None:
    first, end = _cut(matrix.rows // LANES, share)
    _multiply(now, matrix, 0, now.tokens, now.x + share.shift, 4 * now.hidden, first, end)
    _publish(now.x + 4 * LANES * first, 4 * now.hidden, now.tokens, LANES * (end - first), 1, share)


@inlined
def _widen(now: Record, gates: Record, up: Record, share: Share) -> None:
    tiles = gates.rows // LANES
    first, end = _cut(tiles + up.rows // LANES, share)
    _multiply(now, gates, 0, now.tokens, now.wide + share.shift, now.pitch, first, end)
    _multiply(now, up, tiles, now.tokens, now.wide + share.shift, now.pitch, first, end)
    _publish(now.wide + 4 * LANES * first, now.pitch, now.tokens, LANES * (end - first), 0, share)


@compiled
def _gate(now: Record, share: Share) -> None:
    first, end = _cut(now.tokens, share)
    for token in range(first, end):
        gates, vector = now.wide + now.pitch * token, now.vectors + now.vector * token + share.shift
        gate(gates, gates + 4 * now.mlp, now.mlp, vector)
        round_to_bytes(vector, now.mlp, vector + 4 * now.mlp)
    length = now.mlp + now.mlp // GROUP * GROUP_BYTES // 4
    _publish(now.vectors + now.vector * first, now.vector, end - first, length, 0, share)


@inlined
def _find_logits(now: Record, matrix: Record, share: Share) -> None:
    first, end = _cut(matrix.rows // LANES, share)
    pitch = 4 * (matrix.rows + ASIDE)
    _multiply(now, matrix, 0, now.outputs, now.logits + share.shift, pitch, first, end)
    _publish(now.logits + 4 * LANES * first, pitch, now.outputs, LANES * (end - first), 0, share)
