"""A pass of tokens through the layers of a Llama and its head, by several threads at once.

Between two meetings each thread does its share of tokens, tiles or heads: no number depends on whose share it is.
"""

from typing import Any

import numpy as np

from demo.engine.llama.kernels import compiled, entry, inlined
from demo.engine.llama.kernels.activations import GROUP, GROUP_BYTES, gate, normalise, round_to_bytes
from demo.engine.llama.kernels.addresses import read_long
from demo.engine.llama.kernels.attention import PAGE, Asking, attend, measure_part, remember, turn
from demo.engine.llama.kernels.lanes import LANES, fill_lanes
from demo.engine.llama.kernels.meeting import meet, sem_post, sem_wait
from demo.engine.llama.kernels.products import MATRIX, multiply

Record = Any  # numpy's, of one of the types below
Records = Any  # an array of them

ASIDE = LANES  # numbers between rows, lest all of them want the same places of the processor's cache
NORMS, MATRICES = ("attention_norm", "mlp_norm"), ("q", "k", "v", "out", "gate", "up", "down")
LAYER = np.dtype([*((name, np.int64) for name in NORMS), *((name, MATRIX) for name in MATRICES)], align=True)
HEAD = np.dtype([("norm", np.int64), ("matrix", MATRIX)], align=True)

# What a pass is about: numbers, and addresses of float32 if nothing else is said.
PASS = np.dtype(
    [
        *((name, np.int64) for name in ("hidden", "heads", "kv_heads", "head_size", "mlp")),
        ("epsilon", np.float32),
        *(
            (name, np.int64)
            for name in (
                "ended",  # whether there is no further pass
                "tokens",
                "positions",  # int64 [tokens]
                "pages",  # int64 [tokens]: for each the address of its sequence's pages' addresses
                "turns",  # [tokens, head size / 2, 2]
                "x",  # [tokens, hidden]: what goes in, and then on
                "plain",  # [tokens, widest]: the vectors that are multiplied next,
                "packed",  # and their groups
                "wide",  # [tokens, widest]: what products give
                "starts",  # int64 [runs + 1]: the first tokens of runs of neighbours that attend together, and the end
                "runs",
                "scores",  # [threads, attention's scratch], in bytes that of a thread, and that of a query
                "scores_size",
                "scores_row",
                "scored",  # int64 [outputs]: the tokens whose logits are asked for
                "outputs",
                "logits",  # [outputs, head's rows]
            )
        ),
    ],
    align=True,
)


@entry
def compute(
    passes: Records, layers: Records, head: Records, meetings: Records, semaphores: Records, thread: int
) -> None:
    """Thread 0 does the pass at hand, together with all others, which do a share of every pass until one is `ended`.

    `passes` [1], `layers` and `head` [1] are of the types above; `meetings` int64 [1] counts who has come where, and
    `semaphores` uint8 [threads, SEMAPHORE_BYTES] wake who sleeps.
    """
    threads, arrivals = len(semaphores), meetings.ctypes.data
    if thread == 0:
        for other in range(1, threads):
            sem_post(semaphores[other].ctypes.data)
        _run(passes[0], layers, head, arrivals, 0, threads)
        return
    sem_wait(semaphores[thread].ctypes.data)
    while not passes[0].ended:
        _run(passes[0], layers, head, arrivals, thread, threads)
        sem_wait(semaphores[thread].ctypes.data)


@inlined
def _run(now: Record, layers: Records, head: Records, arrivals: int, thread: int, threads: int) -> None:
    for number in range(len(layers)):
        layer = layers[number]
        _attend(now, layer, number, arrivals, thread, threads)
        _feed_forward(now, layer, arrivals, thread, threads)
    for place in range(thread, now.outputs, threads):
        token = read_long(now.scored + 8 * place)
        _normalise(now, head[0].norm, now.x + 4 * now.hidden * token, place)
    meet(arrivals, threads)
    matrix = head[0].matrix
    _multiply(now, matrix, now.outputs, now.logits, 4 * (matrix.rows + ASIDE), 0, thread, threads)
    meet(arrivals, threads)


@inlined
def _attend(now: Record, layer: Record, number: int, arrivals: int, thread: int, threads: int) -> None:
    for token in range(thread, now.tokens, threads):
        _normalise(now, layer.attention_norm, now.x + 4 * now.hidden * token, token)
    meet(arrivals, threads)
    pitch = 4 * (layer.q.rows + layer.k.rows + layer.v.rows + ASIDE)
    keys = now.wide + 4 * layer.q.rows
    values = keys + 4 * layer.k.rows
    _multiply(now, layer.q, now.tokens, now.wide, pitch, 0, thread, threads)
    _multiply(now, layer.k, now.tokens, keys, pitch, 0, thread, threads)
    _multiply(now, layer.v, now.tokens, values, pitch, 0, thread, threads)
    meet(arrivals, threads)
    for token in range(thread, now.tokens, threads):
        _turn_and_remember(now, token, number, now.wide + token * pitch, keys + token * pitch, values + token * pitch)
    meet(arrivals, threads)
    length = now.heads * now.head_size
    for share in range(thread, now.runs * now.kv_heads, threads):
        _attend_together(now, share // now.kv_heads, share % now.kv_heads, number, pitch, thread)
    meet(arrivals, threads)
    for token in range(thread, now.tokens, threads):
        _round(now, token, length)
    meet(arrivals, threads)
    _multiply(now, layer.out, now.tokens, now.x, 4 * now.hidden, 1, thread, threads)
    meet(arrivals, threads)


@inlined
def _feed_forward(now: Record, layer: Record, arrivals: int, thread: int, threads: int) -> None:
    for token in range(thread, now.tokens, threads):
        _normalise(now, layer.mlp_norm, now.x + 4 * now.hidden * token, token)
    meet(arrivals, threads)
    pitch = 4 * (2 * now.mlp + ASIDE)
    _multiply(now, layer.gate, now.tokens, now.wide, pitch, 0, thread, threads)
    _multiply(now, layer.up, now.tokens, now.wide + 4 * now.mlp, pitch, 0, thread, threads)
    meet(arrivals, threads)
    for token in range(thread, now.tokens, threads):
        gated = now.wide + token * pitch
        gate(gated, gated + 4 * now.mlp, now.mlp, now.plain + 4 * now.mlp * token)
        _round(now, token, now.mlp)
    meet(arrivals, threads)
    _multiply(now, layer.down, now.tokens, now.x, 4 * now.hidden, 1, thread, threads)
    meet(arrivals, threads)


@inlined
def _normalise(now: Record, weight: int, x: int, place: int) -> None:
    normalise(x, weight, now.epsilon, now.hidden, now.plain + 4 * now.hidden * place)
    _round(now, place, now.hidden)


@inlined
def _round(now: Record, place: int, length: int) -> None:
    packed = length // GROUP * GROUP_BYTES
    round_to_bytes(now.plain + 4 * length * place, length, now.packed + packed * place)


@compiled
def _multiply(
    now: Record, matrix: Record, tokens: int, out: int, pitch: int, add: int, thread: int, threads: int
) -> None:
    """A thread's share of a matrix's tiles, with all vectors."""
    tiles = matrix.rows // LANES
    for tile in range(tiles * thread // threads, tiles * (thread + 1) // threads):
        at = matrix.tiles + matrix.tile_bytes * tile
        multiply(matrix.form, at, matrix.columns, now.packed, now.plain, tokens, out + 4 * LANES * tile, pitch, add)


@inlined
def _turn_and_remember(now: Record, token: int, number: int, queries: int, keys: int, values: int) -> None:
    position = read_long(now.positions + 8 * token)
    turns = now.turns + 4 * now.head_size * token
    page = read_long(read_long(now.pages + 8 * token) + 8 * (position // PAGE))
    for head in range(now.heads):
        turn(queries + 4 * now.head_size * head, turns, now.head_size)
    for head in range(now.kv_heads):
        at = 4 * now.head_size * head
        turn(keys + at, turns, now.head_size)
        place = page + _find_part(now, number, head)
        remember(keys + at, values + at, place, position % PAGE, now.head_size)


@inlined
def _attend_together(now: Record, run: int, head: int, number: int, pitch: int, thread: int) -> None:
    """Neighbouring tokens of one sequence, with the heads that share a key."""
    first, end = read_long(now.starts + 8 * run), read_long(now.starts + 8 * run + 8)
    heads, wide = now.heads // now.kv_heads, 4 * now.heads * now.head_size
    at = 4 * now.head_size * heads * head
    room = now.scores + now.scores_size * thread
    queries = now.wide + first * pitch + at
    asking = Asking(queries, pitch, end - first, heads, now.head_size, fill_lanes(now.head_size), room, now.scores_row)
    pages, columns = read_long(now.pages + 8 * first), read_long(now.positions + 8 * first) + 1
    attend(asking, pages, _find_part(now, number, head), columns, now.plain + first * wide + at, wide)


@inlined
def _find_part(now: Record, number: int, head: int) -> int:
    """Where in a page a layer's head has its keys and values."""
    parts: int = number * now.kv_heads + head
    return 4 * parts * measure_part(now.head_size)
