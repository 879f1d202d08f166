"""The operations of a layer and of the head. Each is split into one task per thread.

No number depends on which thread computes it. Activations are float32, followed by the same quantized to 8 bits.
"""

from typing import Any

from demo.engines.local.runners.cpu_llama.kernels import compiled, inlined
from demo.engines.local.runners.cpu_llama.kernels.activations import (
    GROUP,
    GROUP_BYTES,
    gelu_mul,
    quantize_q8,
    rms_norm,
    silu_mul,
)
from demo.engines.local.runners.cpu_llama.kernels.attention import (
    PAGE,
    AttentionArgs,
    append_kv,
    apply_rope,
    attend,
    measure_head,
)
from demo.engines.local.runners.cpu_llama.kernels.barrier import Task, claim, commit
from demo.engines.local.runners.cpu_llama.kernels.matmul import matmul
from demo.engines.local.runners.cpu_llama.kernels.memory import copy_numbers, load_floats, read_long, store_floats
from demo.engines.local.runners.cpu_llama.kernels.simd import LANES, round_up

Record = Any  # numpy's: `batch` is a FORWARD_BATCH, `layer` a LAYER, `head` a HEAD

SILU, GELU = range(2)
ATTENTION_NORM, PROJECT_QKV, APPEND_KV, ATTEND, QUANTIZE, OUT, ATTENTION_POST_NORM = range(7)
MLP_NORM, PROJECT_GATE_UP, ACTIVATE, DOWN, MLP_POST_NORM = range(7, 12)
HEAD_OPERATIONS = 2
PADDING = LANES  # numbers between rows, so that not all rows map to the same cache sets


@inlined
def count_layer_operations(batch: Record) -> int:
    """Two of them, the norms after attention and after the MLP, are those of few architectures."""
    return MLP_POST_NORM + 1 if batch.post_norms else MLP_POST_NORM - 1


@inlined
def run_layer_task(batch: Record, layer: Record, index: int, number: int, task: Task) -> None:
    """A task of operation `number` of the layer with that index."""
    operation = number + 1 if number > OUT and not batch.post_norms else number
    if operation == ATTENTION_NORM:
        _norm(batch, layer.attn_norm, batch.tokens, 0, task)
    elif operation == PROJECT_QKV:
        _project_qkv(batch, layer.attn_q, layer.attn_k, layer.attn_v, task)
    elif operation == APPEND_KV:
        _append_kv(batch, layer, index, task)
    elif operation == ATTEND:
        _attend(batch, layer, index, task)
    elif operation == QUANTIZE:
        _quantize_attention(batch, task)
    elif operation == OUT:
        _matmul_add(batch, layer.attn_output, task)
    elif operation == ATTENTION_POST_NORM:
        _norm_add(batch, layer.post_attention_norm, task)
    elif operation == MLP_NORM:
        _norm(batch, layer.ffn_norm, batch.tokens, 0, task)
    elif operation == PROJECT_GATE_UP:
        _project_gate_up(batch, layer.ffn_gate, layer.ffn_up, task)
    elif operation == ACTIVATE:
        _activate(batch, layer.activation, task)
    elif operation == DOWN:
        _matmul_add(batch, layer.ffn_down, task)
    else:
        _norm_add(batch, layer.post_ffw_norm, task)


@inlined
def run_head_task(batch: Record, head: Record, operation: int, task: Task) -> None:
    """A task of an operation of the head."""
    if operation == 0:
        _norm(batch, head.norm, batch.outputs, batch.output_tokens, task)
    else:
        _compute_logits(batch, head.matrix, task)


@inlined
def _split(count: int, task: Task) -> tuple[int, int]:
    """The task's first item of `count`, and the end of its items."""
    return count * task.number // task.tasks, count * (task.number + 1) // task.tasks


@compiled
def _commit_rows(out: int, stride: int, rows: int, length: int, add: int, task: Task) -> None:
    """Copy the result from scratch, float32 [rows, length] every `stride` bytes, unless another thread was faster."""
    if claim(task):
        for at in range(out, out + stride * rows, stride):
            copy_numbers(at + task.scratch, at, length, add)
        commit(task)


@compiled
def _norm(batch: Record, weight: int, count: int, chosen: int, task: Task) -> None:
    """RMSNorm of the first `count` tokens, or of those whose indices are at the address `chosen`."""
    first, end = _split(count, task)
    for place in range(first, end):
        token = read_long(chosen + 8 * place) if chosen else place
        out = batch.activations + batch.activation_stride * place + task.scratch
        rms_norm(batch.x + 4 * batch.hidden * token, weight, batch.epsilon, batch.hidden, out)
        quantize_q8(out, batch.hidden, out + 4 * batch.hidden)
    length = batch.hidden + batch.hidden // GROUP * GROUP_BYTES // 4
    out = batch.activations + batch.activation_stride * first
    _commit_rows(out, batch.activation_stride, end - first, length, 0, task)


@compiled
def _matmul(
    batch: Record, matrix: Record, before: int, tokens: int, out: int, pitch: int, first: int, end: int
) -> None:
    """Multiply the matrix's tiles among `first` to `end`, where `before` tiles of other matrices come first."""
    for tile in range(max(first - before, 0), min(end - before, matrix.rows // LANES)):
        at = matrix.tiles + matrix.tile_bytes * tile
        there = out + 4 * LANES * (before + tile)
        matmul(matrix.qtype, at, matrix.columns, batch.activations, batch.activation_stride, tokens, there, pitch)
        if matrix.bias:
            bias = load_floats(matrix.bias + 4 * LANES * tile)
            for row in range(there, there + pitch * tokens, pitch):
                store_floats(row, load_floats(row) + bias)


@inlined
def _project_qkv(batch: Record, q: Record, k: Record, v: Record, task: Task) -> None:
    queries, keys = q.rows // LANES, k.rows // LANES
    first, end = _split(queries + keys + v.rows // LANES, task)
    out, stride = batch.intermediate + task.scratch, batch.intermediate_stride
    _matmul(batch, q, 0, batch.tokens, out, stride, first, end)
    _matmul(batch, k, queries, batch.tokens, out, stride, first, end)
    _matmul(batch, v, queries + keys, batch.tokens, out, stride, first, end)
    _commit_rows(batch.intermediate + 4 * LANES * first, stride, batch.tokens, LANES * (end - first), 0, task)


@compiled
def _append_kv(batch: Record, layer: Record, index: int, task: Task) -> None:
    """Normalize and rotate keys, and store keys and values in pages."""
    first, end = _split(batch.tokens, task)
    size, stride = 4 * batch.head_size, batch.intermediate_stride
    keys = batch.intermediate + 4 * layer.attn_q.rows
    values = keys + 4 * layer.attn_k.rows
    for token in range(first, end):
        for key in range(keys + stride * token, keys + stride * token + size * batch.kv_heads, size):
            _prepare_head(batch, layer, layer.attn_k_norm, key, token, task)
    if claim(task):
        for token in range(first, end):
            position = read_long(batch.positions + 8 * token)
            page = read_long(read_long(batch.page_tables + 8 * token) + 8 * (position // PAGE))
            for head in range(batch.kv_heads):
                at, part = stride * token + size * head, page + _find_head(batch, index, head)
                append_kv(keys + at + task.scratch, values + at, part, position % PAGE, batch.head_size)
        commit(task)


@compiled
def _prepare_head(batch: Record, layer: Record, norm: int, head: int, token: int, task: Task) -> None:
    """Normalize a head of a query or key, where the architecture does, and rotate it."""
    rotations = batch.rotations + batch.rotations_size * layer.rotation + 4 * batch.head_size * token
    if norm:
        rms_norm(head, norm, batch.epsilon, batch.head_size, head + task.scratch)
        head += task.scratch
        apply_rope(head, rotations, batch.head_size, head)
    else:
        apply_rope(head, rotations, batch.head_size, head + task.scratch)


@inlined
def _attend(batch: Record, layer: Record, index: int, task: Task) -> None:
    """Attention. An item is a tile of consecutive tokens of one sequence, with the heads that share a KV head."""
    first, end = _split(batch.tiles * batch.kv_heads, task)
    heads = batch.heads // batch.kv_heads
    for item in range(first, end):
        _attend_tile(batch, layer, item // batch.kv_heads, item % batch.kv_heads, index, task)
    if claim(task):
        for item in range(first, end):
            at = batch.activations + 4 * batch.head_size * heads * (item % batch.kv_heads)
            start, stop = _find_tile(batch, item // batch.kv_heads)
            for token in range(start, stop):
                there = at + batch.activation_stride * token
                copy_numbers(there + task.scratch, there, heads * batch.head_size, 0)
        commit(task)


@inlined
def _attend_tile(batch: Record, layer: Record, tile: int, head: int, index: int, task: Task) -> None:
    first, end = _find_tile(batch, tile)
    heads, size = batch.heads // batch.kv_heads, 4 * batch.head_size
    at = size * heads * head
    queries = batch.intermediate + batch.intermediate_stride * first + at
    for token in range(first, end):
        here = batch.intermediate + batch.intermediate_stride * token + at
        for query in range(here, here + size * heads, size):
            _prepare_head(batch, layer, layer.attn_q_norm, query, token, task)
    args = AttentionArgs(
        queries + task.scratch,
        batch.intermediate_stride,
        end - first,
        heads,
        batch.head_size,
        round_up(batch.head_size),
        batch.scores + batch.scores_size * task.thread,
        batch.scores_row,
        layer.window,
    )
    pages, context = read_long(batch.page_tables + 8 * first), read_long(batch.positions + 8 * first) + 1
    out = batch.activations + batch.activation_stride * first + at + task.scratch
    attend(args, pages, _find_head(batch, index, head), context, out, batch.activation_stride)


@inlined
def _find_tile(batch: Record, tile: int) -> tuple[int, int]:
    """A tile's first token, and the end."""
    return read_long(batch.tile_starts + 8 * tile), read_long(batch.tile_starts + 8 * tile + 8)


@inlined
def _find_head(batch: Record, index: int, head: int) -> int:
    """The offset in a page of a layer's KV head."""
    offset: int = (index * batch.kv_heads + head) * measure_head(batch.head_size)
    return offset


@compiled
def _quantize_attention(batch: Record, task: Task) -> None:
    first, end = _split(batch.tokens, task)
    length, stride = batch.heads * batch.head_size, batch.activation_stride
    for x in range(batch.activations + stride * first, batch.activations + stride * end, stride):
        quantize_q8(x, length, x + 4 * length + task.scratch)
    out = batch.activations + stride * first + 4 * length
    _commit_rows(out, stride, end - first, length // GROUP * GROUP_BYTES // 4, 0, task)


@inlined
def _matmul_add(batch: Record, matrix: Record, task: Task) -> None:
    """Add a product to the residual stream; where a norm comes before that, leave it as intermediate."""
    first, end = _split(matrix.rows // LANES, task)
    if batch.post_norms:
        out, stride = batch.intermediate, batch.intermediate_stride
        _matmul(batch, matrix, 0, batch.tokens, out + task.scratch, stride, first, end)
        _commit_rows(out + 4 * LANES * first, stride, batch.tokens, LANES * (end - first), 0, task)
        return
    _matmul(batch, matrix, 0, batch.tokens, batch.x + task.scratch, 4 * batch.hidden, first, end)
    _commit_rows(batch.x + 4 * LANES * first, 4 * batch.hidden, batch.tokens, LANES * (end - first), 1, task)


@compiled
def _norm_add(batch: Record, weight: int, task: Task) -> None:
    """Add the RMSNorm of the intermediate numbers to the residual stream."""
    first, end = _split(batch.tokens, task)
    for token in range(first, end):
        out = batch.x + 4 * batch.hidden * token + task.scratch
        rms_norm(batch.intermediate + batch.intermediate_stride * token, weight, batch.epsilon, batch.hidden, out)
    _commit_rows(batch.x + 4 * batch.hidden * first, 4 * batch.hidden, end - first, batch.hidden, 1, task)


@inlined
def _project_gate_up(batch: Record, gate: Record, up: Record, task: Task) -> None:
    tiles = gate.rows // LANES
    first, end = _split(tiles + up.rows // LANES, task)
    out, stride = batch.intermediate + task.scratch, batch.intermediate_stride
    _matmul(batch, gate, 0, batch.tokens, out, stride, first, end)
    _matmul(batch, up, tiles, batch.tokens, out, stride, first, end)
    _commit_rows(batch.intermediate + 4 * LANES * first, stride, batch.tokens, LANES * (end - first), 0, task)


@compiled
def _activate(batch: Record, activation: int, task: Task) -> None:
    first, end = _split(batch.tokens, task)
    for token in range(first, end):
        gate = batch.intermediate + batch.intermediate_stride * token
        out = batch.activations + batch.activation_stride * token + task.scratch
        if activation == GELU:
            gelu_mul(gate, gate + 4 * batch.mlp, batch.mlp, out)
        else:
            silu_mul(gate, gate + 4 * batch.mlp, batch.mlp, out)
        quantize_q8(out, batch.mlp, out + 4 * batch.mlp)
    length = batch.mlp + batch.mlp // GROUP * GROUP_BYTES // 4
    out = batch.activations + batch.activation_stride * first
    _commit_rows(out, batch.activation_stride, end - first, length, 0, task)


@inlined
def _compute_logits(batch: Record, matrix: Record, task: Task) -> None:
    first, end = _split(matrix.rows // LANES, task)
    stride = 4 * (matrix.rows + PADDING)
    _matmul(batch, matrix, 0, batch.outputs, batch.logits + task.scratch, stride, first, end)
    _commit_rows(batch.logits + 4 * LANES * first, stride, batch.outputs, LANES * (end - first), 0, task)
