"""The engine beside transformers' own `generate`, on the same weights, in turns."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from statistics import median
from typing import Any, Final, cast

import torch
from transformers import AutoModelForCausalLM, PreTrainedModel
from transformers.generation.streamers import BaseStreamer

from demo.embedded import find_embedded
from demo.engines.local.engine import LocalEngine
from demo.engines.local.loading.conversion import convert_once
from demo.engines.local.model import load_model
from demo.events import Engine, Loading, Message, Request
from demo.metrics import measure_streamed
from demo.run import Run
from demo.settings import Settings
from tests.figures.figure import Figure, estimate, summarise

PROMPT: Final = (Message("user", "How do you make cheese?"),)
NEW_TOKENS: Final = 128
ROUNDS: Final = 5
PAIRS: Final = 24  # of one request and of eight: single ratios scatter by a tenth
ROWS: Final = 8


@dataclass(frozen=True)
class Sample:
    """One measurement of some requests at once: first token in ms, and tokens/s of all together."""

    ttft: float
    rate: float


class _FirstToken(BaseStreamer):
    """Notes when `generate` gives its first token; the first call hands over the prompt."""

    def __init__(self) -> None:
        self.calls = 0
        self.first = 0.0

    def put(self, value: object) -> None:
        self.calls += 1
        if self.calls == 2:
            self.first = time.perf_counter()

    def end(self) -> None:
        pass


@cache
def load_network() -> PreTrainedModel:
    """The embedded model as transformers runs it, in this process."""
    file = find_embedded()
    assert file is not None, "the embedded model is missing: make run installs it"
    network: PreTrainedModel = AutoModelForCausalLM.from_pretrained(convert_once(file, print), dtype=torch.float32)
    return network


def time_generate(ids: Sequence[int]) -> Sample:
    """transformers' own `generate`, greedy, one request."""
    network = load_network()
    prompt, streamer, begin = torch.tensor([list(ids)]), _FirstToken(), time.perf_counter()
    options: dict[str, Any] = {"min_new_tokens": NEW_TOKENS, "max_new_tokens": NEW_TOKENS, "do_sample": False}
    cast(Any, network).generate(
        prompt, attention_mask=torch.ones_like(prompt), pad_token_id=0, streamer=streamer, **options
    )
    return Sample((streamer.first - begin) * 1e3, NEW_TOKENS / (time.perf_counter() - begin))


def time_engine(engine: LocalEngine, requests: int) -> Sample:
    """Our engine, greedy, `requests` at once. The TTFT is their median."""
    runs = [Run(engine, Request(PROMPT, NEW_TOKENS, ignore_eos=True, cache_prompt=False)) for _ in range(requests)]
    for reader in [run.attach() for run in runs]:
        for _ in reader:
            pass
    lines = [measure_streamed(run.submitted, run.events) for run in runs]
    last = max(run.submitted + (line.total or 0) for run, line in zip(runs, lines, strict=True))
    ttft = median(line.ttft or 0 for line in lines)
    return Sample(ttft * 1e3, requests * NEW_TOKENS / (last - runs[0].submitted))


def measure_speed() -> list[Figure]:
    """The engine beside `generate`, in turns."""
    engine = LocalEngine(lambda report: load_model(Settings(), report), ROWS)
    wait_until_ready(engine)
    ids = [piece.id for piece in engine.tokenize(PROMPT)[1]]
    # In a process of its own: where two threads compute in one, OpenMP lets all their helpers sleep at every step.
    aside = ProcessPoolExecutor(1, get_context("spawn"))
    contestants: dict[str, Callable[[], Sample]] = {
        "transformers generate, one": lambda: aside.submit(time_generate, ids).result(),
        "this engine, one": lambda: time_engine(engine, 1),
        f"this engine, {ROWS} at once": lambda: time_engine(engine, ROWS),
    }
    rounds = [{name: measure() for name, measure in contestants.items()} for _ in range(ROUNDS + 1)][1:]
    pairs = [(time_engine(engine, 1).rate, time_engine(engine, ROWS).rate) for _ in range(PAIRS)]
    engine.close()
    aside.shutdown()
    figures = []
    for name in contestants:
        figures.append(summarise(f"{name}: tokens/s in all", "tokens/s", [each[name].rate for each in rounds]))
        figures.append(summarise(f"{name}: TTFT", "ms", [each[name].ttft for each in rounds]))
    generate, one, _ = contestants
    figures.append(summarise("ratio: engine / generate, one", "x", [r[one].rate / r[generate].rate for r in rounds]))
    figures.append(estimate(f"ratio: {ROWS} at once / one", "x", [many / alone for alone, many in pairs]))
    return figures


def wait_until_ready(engine: Engine) -> None:
    """Returns when the model has been loaded."""
    while isinstance(engine.status, Loading):
        time.sleep(0.01)
