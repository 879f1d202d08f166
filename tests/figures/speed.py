"""The engine beside transformers' `generate`, on the same weights, in rounds."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from statistics import median
from typing import Any, Final, cast

import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

from demo.engine import Engine, Loading
from demo.engines.local.engine import LocalEngine
from demo.engines.local.loading.conversion import convert_once
from demo.engines.local.loading.model import load_model
from demo.metrics import measure_streamed
from demo.request import Message, Request
from demo.run import Run
from demo.settings import Settings
from tests.comparison.systems.generate import TokenStreamer
from tests.comparison.systems.requantize import require_embedded
from tests.figures.figure import Figure, Round, estimate, summarise_rounds

PROMPT: Final = (Message("user", "How do you make cheese?"),)
NEW_TOKENS: Final = 128
ROUNDS: Final = 5
PAIRS: Final = 24  # of one request and of eight: single ratios scatter by a tenth
ROWS: Final = 8


@dataclass(frozen=True)
class Sample:
    """Concurrent requests: TTFT in ms, and tokens/s of all together."""

    ttft: float
    rate: float


@cache
def load_network() -> PreTrainedModel:
    """The embedded model in transformers, in this process."""
    folder = convert_once(require_embedded(), print)
    network: PreTrainedModel = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return network


def time_generate(ids: Sequence[int]) -> Sample:
    """transformers' own `generate`, greedy, one request."""
    network = load_network()
    times: list[float] = []
    prompt, streamer = torch.tensor([list(ids)]), TokenStreamer(lambda _: times.append(time.perf_counter()))
    options = {"min_new_tokens": NEW_TOKENS, "max_new_tokens": NEW_TOKENS, "do_sample": False, "pad_token_id": 0}
    begin = time.perf_counter()
    cast(Any, network).generate(prompt, attention_mask=torch.ones_like(prompt), streamer=streamer, **options)
    return Sample((times[0] - begin) * 1e3, NEW_TOKENS / (time.perf_counter() - begin))


def time_engine(engine: LocalEngine, requests: int) -> Sample:
    """This engine, greedy, `requests` at once. The TTFT is their median."""
    runs = [Run(engine, Request(PROMPT, NEW_TOKENS, ignore_eos=True, cache_prompt=False)) for _ in range(requests)]
    for reader in [run.attach() for run in runs]:
        for _ in reader:
            pass
    lines = [measure_streamed(run.submitted, run.events) for run in runs]
    last = max(run.submitted + (line.total or 0) for run, line in zip(runs, lines, strict=True))
    ttft = median(line.ttft or 0 for line in lines)
    return Sample(ttft * 1e3, requests * NEW_TOKENS / (last - runs[0].submitted))


def measure_speed() -> list[Figure]:
    # `generate` in a process of its own: where two threads compute in one, OpenMP's helper threads sleep at every step.
    with open_engine() as engine, ProcessPoolExecutor(1, get_context("spawn")) as process:
        ids = [piece.id for piece in engine.tokenize(PROMPT)[1]]
        rounds = [_run_round(engine, process, ids) for _ in range(ROUNDS + 1)][1:]
        pairs = [(time_engine(engine, 1).rate, time_engine(engine, ROWS).rate) for _ in range(PAIRS)]
    ratios = [many / one for one, many in pairs]
    return [*summarise_rounds(rounds), estimate(f"ratio: {ROWS} at once / one", "x", ratios)]


def _run_round(engine: LocalEngine, process: ProcessPoolExecutor, ids: list[int]) -> Round:
    generate = process.submit(time_generate, ids).result()
    one, many = time_engine(engine, 1), time_engine(engine, ROWS)
    samples = {"transformers generate, one": generate, "this engine, one": one, f"this engine, {ROWS} at once": many}
    values: dict[tuple[str, str], float] = {}
    for name, sample in samples.items():
        values[f"{name}: tokens/s in all", "tokens/s"] = sample.rate
        values[f"{name}: TTFT", "ms"] = sample.ttft
    return {**values, ("ratio: engine / generate, one", "x"): one.rate / generate.rate}


@contextmanager
def open_engine(rows: int = ROWS) -> Iterator[LocalEngine]:
    """The embedded model, loaded, with at most `rows` requests at once."""
    engine = LocalEngine(lambda report: load_model(Settings(), report), rows)
    try:
        wait_until_ready(engine)
        yield engine
    finally:
        engine.close()


def wait_until_ready(engine: Engine) -> None:
    while isinstance(engine.status, Loading):
        time.sleep(0.01)
