"""A pass of tokens through the layers of a Llama and its head, by several threads at once."""

from typing import Any

import numpy as np

from demo.engines.local.runners.cpu_llama.kernels import entry, inlined
from demo.engines.local.runners.cpu_llama.kernels.arithmetic import count_cycles, pause
from demo.engines.local.runners.cpu_llama.kernels.barrier import (
    Share,
    await_others,
    is_open,
    is_over,
    sem_post,
    sem_wait,
)
from demo.engines.local.runners.cpu_llama.kernels.matmul import MATRIX
from demo.engines.local.runners.cpu_llama.kernels.memory import add_atomically, read_atomically, write_atomically
from demo.engines.local.runners.cpu_llama.kernels.operations import HEAD_STAGES, STAGES, do_share, do_share_of_head

Record = Any  # numpy's, of one of the types below
Records = Any  # an array of them

NORMS, MATRICES = ("attention_norm", "mlp_norm"), ("q", "k", "v", "out", "gate", "up", "down")
LAYER = np.dtype([*((name, np.int64) for name in NORMS), *((name, MATRIX) for name in MATRICES)], align=True)
HEAD = np.dtype([("norm", np.int64), ("matrix", MATRIX)], align=True)

SLOTS = 16  # passes of which a thread may be in the first while the last is done
BEGUN, ENDED, LEDGER = range(3)  # of a board

# What a pass is about: numbers, and addresses of float32 if nothing else is said.
PASS = np.dtype(
    [
        *((name, np.int64) for name in ("hidden", "heads", "kv_heads", "head_size", "mlp")),
        ("epsilon", np.float32),
        *(
            (name, np.int64)
            for name in (
                "before",  # stages of all passes before
                "tokens",
                "positions",  # int64 [tokens]
                "pages",  # int64 [tokens]: for each the address of its sequence's pages' addresses
                "turns",  # [tokens, head size / 2, 2]
                "x",  # [tokens, hidden]: what goes in, and then on
                "vectors",  # [tokens]: the vectors that are multiplied next, as numbers and as groups,
                "vector",  # every so many bytes
                "wide",  # [tokens]: what products give,
                "pitch",  # every so many bytes
                "logits",  # [outputs, head's rows]
                "rooms",  # [threads]: as much again for each thread as there is from x to the end of the logits,
                "room",  # in bytes
                "starts",  # int64 [runs + 1]: the first tokens of runs of neighbours that attend together, and the end
                "runs",
                "scores",  # [threads, attention's scratch], in bytes that of a thread, and that of a query
                "scores_size",
                "scores_row",
                "scored",  # int64 [outputs]: the tokens whose logits are asked for
                "outputs",
            )
        ),
    ],
    align=True,
)


@entry
def compute(
    passes: Records, layers: Records, head: Records, board: Records, busy: Records, semaphores: Records, thread: int
) -> None:
    """Thread 0 does the next pass and returns; the others do what they can of every pass, until they are told to end.

    `passes` [SLOTS], `layers` and `head` [1] are of the types above; pass n is in slot n % SLOTS, from 1 on. `board`
    int64 [LEDGER + 1 + threads, 8] has how many passes have begun, whether to end, and the ledger of what is done;
    `busy` int64 [threads, 8] which pass each of the others is in, or 0; `semaphores` uint8 [threads, LINE] wake them.
    Another thread may still be in a pass that has ended: what that pass points to must stay until it no longer is.
    """
    threads, begun = len(semaphores), board[BEGUN].ctypes.data
    if thread == 0:
        number = read_atomically(begun) + 1
        passes[number % SLOTS].before = board[LEDGER, 0] // threads
        add_atomically(begun, 1)
        for other in range(1, threads):
            sem_post(semaphores[other].ctypes.data)
    while True:
        if thread > 0:
            sem_wait(semaphores[thread].ctypes.data)
            number = read_atomically(begun)
            write_atomically(busy[thread].ctypes.data, number)
        if board[ENDED, 0]:
            break
        # A pass that is no longer the last may have lost what it points to before this thread was known to be busy.
        if read_atomically(begun) == number:
            _run(passes[number % SLOTS], layers, head[0], board[LEDGER].ctypes.data, thread, threads)
        if thread == 0:
            break
        write_atomically(busy[thread].ctypes.data, 0)
    write_atomically(busy[thread].ctypes.data, 0)


@inlined
def _run(now: Record, layers: Records, head: Record, ledger: int, thread: int, threads: int) -> None:
    """All stages: of each the thread's own share, and then those of threads that are held up."""
    shift = now.rooms + now.room * thread - now.x
    alone = False
    for stage in range(STAGES * len(layers) + HEAD_STAGES):
        began, number, helped = count_cycles(), thread, False
        share = Share(number, threads, thread, now.before + 1 + stage, ledger, shift)
        while not is_over(share):
            if is_open(share):
                _do(now, layers, head, stage, share)
                helped = helped or number != thread
            else:
                pause()
            if number == thread and not alone:
                await_others(share, began)
            number = (number + 1) % threads
            share = Share(number, threads, thread, now.before + 1 + stage, ledger, shift)
        alone = helped


@inlined
def _do(now: Record, layers: Records, head: Record, stage: int, share: Share) -> None:
    depth, kind = stage // STAGES, stage % STAGES
    if depth < len(layers):
        do_share(now, layers[depth], depth, kind, share)
    else:
        do_share_of_head(now, head, kind, share)
