"""float16 KV pages beside float32 ones: quality, and speed in long contexts.

The same kernels run in two processes. In one of them the number type of pages is replaced before compilation.
"""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import cache
from multiprocessing import get_context
from tempfile import TemporaryDirectory
from typing import Final
from unittest.mock import patch

import torch

from demo.engines.local.runner import Handle, Runner
from demo.engines.local.runners.cpu_llama.kernels import attention, memory, simd
from tests.engines.local.following import MEMORY, open_sequence, read_prompt, step
from tests.figures.figure import Figure, Round, summarise, summarise_rounds
from tests.figures.quality import TEXT, compare_weights, load_embedded

LONG_CONTEXTS: Final = (4000, 8000)
STEPS: Final = 16
ROUNDS: Final = 5
NAMES: Final = ("float16", "float32")
_open_model: Final = cache(load_embedded)  # once in each process


def measure_kv_pages() -> Iterator[Figure]:
    with _open_processes() as processes:
        yield from _compare_quality(*processes)
        for context in LONG_CONTEXTS:
            yield from summarise_rounds([_run_round(context, *processes) for _ in range(ROUNDS + 1)][1:])


def _run_round(context: int, *processes: ProcessPoolExecutor) -> Round:
    half, full = (process.submit(_time_steps, context).result() for process in processes)
    return {
        (f"float16 KV pages, {context} tokens of context: tokens/s", "tokens/s"): half,
        (f"float32 KV pages, {context} tokens of context: tokens/s", "tokens/s"): full,
        (f"ratio: float16 / float32 KV pages, {context} tokens", "x"): half / full,
    }


@contextmanager
def _open_processes() -> Iterator[tuple[ProcessPoolExecutor, ProcessPoolExecutor]]:
    """One with float16 pages, one with float32 pages and a numba cache of its own."""
    spawn = get_context("spawn")
    with TemporaryDirectory() as folder, ProcessPoolExecutor(1, spawn) as half:
        half.submit(_load).result()
        environment = patch.dict(os.environ, NUMBA_CACHE_DIR=folder)
        with environment, ProcessPoolExecutor(1, spawn, _use_float32) as full:
            full.submit(_load).result()
            yield half, full


def _use_float32() -> None:
    attention.NUMBER, attention.VECTOR, attention.LARGEST = 4, 4 * simd.LANES, 3.4e38
    attention.load_numbers, attention.write_number = memory.load_floats, memory.write_float


def _load() -> None:
    _open_model()


@cache
@torch.inference_mode()
def _fill(context: int) -> tuple[Runner, Handle]:
    """A sequence of `context` tokens, which grows with each measurement."""
    loaded = _open_model()
    runner, ids = loaded.make_runner(MEMORY), loaded.tokenizer.encode(TEXT.read_text(), raw=True)
    prompt = (ids * (context // len(ids) + 1))[:context]
    handle = open_sequence(runner, prompt)
    read_prompt(runner, handle, prompt)
    return runner, handle


def _time_steps(context: int) -> float:
    runner, handle = _fill(context)
    begin = time.perf_counter()
    for _ in range(STEPS):
        step(runner, {handle: 1})
    return STEPS / (time.perf_counter() - begin)


def _compare_quality(*processes: ProcessPoolExecutor) -> Iterator[Figure]:
    futures = [process.submit(compare_weights) for process in processes]
    for name, quality in zip(NAMES, (future.result() for future in futures), strict=True):
        rise = quality.rise * 100
        yield summarise(f"perplexity above float32 weights': {name} KV pages", "%", [rise])
        yield summarise(f"mean KL(float32 weights || {name} KV pages)", "mnats", [quality.divergence * 1e3])
