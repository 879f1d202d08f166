"""The forward pass of a Llama: all operations of its layers and its head, by several threads at once."""

from typing import Any

import numpy as np

from demo.engines.local.runners.cpu_llama.kernels import entry, inlined
from demo.engines.local.runners.cpu_llama.kernels.barrier import (
    Task,
    is_finished,
    is_open,
    sem_post,
    sem_wait,
    wait_for_others,
)
from demo.engines.local.runners.cpu_llama.kernels.matmul import MATRIX
from demo.engines.local.runners.cpu_llama.kernels.memory import atomic_add, atomic_load, atomic_store
from demo.engines.local.runners.cpu_llama.kernels.operations import (
    HEAD_OPERATIONS,
    count_layer_operations,
    run_head_task,
    run_layer_task,
)
from demo.engines.local.runners.cpu_llama.kernels.simd import count_cycles, pause

Record = Any  # numpy's, of one of the types below
Records = Any  # an array of them

# The weights of a layer have their names in GGUF files.
NORMS = ("attn_norm", "attn_q_norm", "attn_k_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm")  # 0 for none
CHOICES = ("rotation", "window", "activation")  # the number of its table, tokens that are seen (0: all), SILU or GELU
MATRICES = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
LAYER = np.dtype(
    [*((name, np.int64) for name in (*NORMS, *CHOICES)), *((name, MATRIX) for name in MATRICES)], align=True
)
HEAD = np.dtype([("norm", np.int64), ("matrix", MATRIX)], align=True)

SLOTS = 16  # passes kept at once: a preempted thread may still be in the first when the last runs
STARTED, STOPPED, PROGRESS = range(3)  # lines of the control block
STALL = 1 << 30  # cycles, about half a second: after so long the caller checks that the threads are alive

# The arguments of a pass: numbers, and addresses of float32 unless stated otherwise. Strides and sizes are in bytes.
FORWARD_BATCH = np.dtype(
    [
        *((name, np.int64) for name in ("hidden", "heads", "kv_heads", "head_size", "mlp", "post_norms")),
        ("epsilon", np.float32),
        *(
            (name, np.int64)
            for name in (
                "operations_before",  # of all passes before this one
                "tokens",
                "positions",  # int64 [tokens]
                "page_tables",  # int64 [tokens]: the address of the addresses of the sequence's pages
                "rotations",  # [tables, tokens, head size / 2, 2]
                "rotations_size",  # of a table
                "x",  # [tokens, hidden]: the residual stream
                "activations",  # [tokens]: the input of the next product, as float32 and quantized
                "activation_stride",
                "intermediate",  # [tokens]: the output of products
                "intermediate_stride",
                "logits",  # [outputs, rows of the head]
                "scratch",  # [threads]: a private copy for each thread of the buffers from x to logits
                "scratch_size",
                "tile_starts",  # int64 [tiles + 1]: the first tokens of tiles, which attend together, and the end
                "tiles",
                "scores",  # [threads]: attention's scratch
                "scores_size",  # of a thread
                "scores_row",  # of a query
                "output_tokens",  # int64 [outputs]: the tokens whose logits are computed
                "outputs",
            )
        ),
    ],
    align=True,
)


@entry
def compute(
    batches: Records,
    layers: Records,
    head: Records,
    control: Records,
    hazards: Records,
    semaphores: Records,
    thread: int,
    resume: int,
) -> bool:
    """Thread 0 runs one pass and returns whether it is finished; the others run every pass until STOPPED is set.

    A pass that makes no progress for STALL cycles is not finished: `resume` continues it.

    `batches` [SLOTS], `layers` and `head` [1] are of the types above; pass n is in slot n % SLOTS, from 1 on. `control`
    int64 [PROGRESS + 1 + threads, 8] is the control block: the number of passes started, whether to stop, and the
    progress counters; `hazards` int64 [threads, 8] has the pass that each of the other threads is in, or 0;
    `semaphores` uint8 [threads, LINE] wake them. What a pass points to must stay while a thread is in it.
    """
    threads, started, stopped = len(semaphores), control[STARTED].ctypes.data, control[STOPPED].ctypes.data
    number, finished = atomic_load(started), False
    if thread == 0 and not resume:
        number += 1
        batches[number % SLOTS].operations_before = control[PROGRESS, 0] // threads
        atomic_add(started, 1)
        for other in range(1, threads):
            sem_post(semaphores[other].ctypes.data)
    while True:
        if thread > 0:
            sem_wait(semaphores[thread].ctypes.data)
            number = atomic_load(started)
            atomic_store(hazards[thread].ctypes.data, number)
        if atomic_load(stopped):
            break
        # A pass that was overtaken by another may have lost its buffers before this thread's hazard slot was set.
        if atomic_load(started) == number:
            progress = control[PROGRESS].ctypes.data
            finished = _run(batches[number % SLOTS], layers, head[0], progress, stopped, thread, threads)
        if thread == 0:
            break
        atomic_store(hazards[thread].ctypes.data, 0)
    atomic_store(hazards[thread].ctypes.data, 0)
    return finished


@inlined
def _run(batch: Record, layers: Records, head: Record, progress: int, stopped: int, thread: int, threads: int) -> bool:
    """Run all operations: of each the thread's own task, then those of preempted threads. False if it gave up."""
    scratch = batch.scratch + batch.scratch_size * thread - batch.x
    alone, given_up = False, False
    for operation in range(count_layer_operations(batch) * len(layers) + HEAD_OPERATIONS):
        began, number, stole = count_cycles(), thread, False
        task = Task(number, threads, thread, batch.operations_before + 1 + operation, progress, scratch)
        while not given_up and not is_finished(task):
            if is_open(task):
                _run_task(batch, layers, head, operation, task)
                stole = stole or number != thread
            else:
                pause()
                given_up = atomic_load(stopped) != 0 or (thread == 0 and count_cycles() - began > STALL)
            if number == thread and not alone:
                wait_for_others(task, began)
            number = (number + 1) % threads
            task = Task(number, threads, thread, batch.operations_before + 1 + operation, progress, scratch)
        alone = stole
    return not given_up


@inlined
def _run_task(batch: Record, layers: Records, head: Record, operation: int, task: Task) -> None:
    count = count_layer_operations(batch)
    index, kind = operation // count, operation % count
    if index < len(layers):
        run_layer_task(batch, layers[index], index, kind, task)
    else:
        run_head_task(batch, head, kind, task)
