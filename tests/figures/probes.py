"""Requests of a known length to an engine of the embedded model, and the moments of their tokens."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import Any, Final

from demo.engines.local.engine import LocalEngine
from demo.engines.local.model import load_model
from demo.events import Engine, Prompt, PromptProgress, Request, Started, Token
from demo.metrics import measure_streamed
from demo.run import Run
from demo.settings import Settings
from tests.comparison.prompts import WORDS
from tests.figures.speed import wait_until_ready

LIMIT: Final = 64  # requests at once
PATIENCE: Final = 300.0  # seconds
_POLL: Final = 0.002  # seconds


@dataclass(frozen=True)
class Gap:
    """Between two tokens, by the engine's clock."""

    begin: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.begin


@contextmanager
def open_engine() -> Iterator[LocalEngine]:
    """The embedded model as `make run` serves it, ready."""
    engine = LocalEngine(lambda report: load_model(Settings(), report), LIMIT)
    try:
        wait_until_ready(engine)
        yield engine
    finally:
        engine.close()


def write_text(engine: Engine, key: str, tokens: int) -> str:
    """Words that begin like no other key's, cut to that many tokens of raw text."""
    draw = Random(key)
    text = " ".join(draw.choice(WORDS) for _ in range(2 * tokens))
    pieces = engine.tokenize(text)[1]
    return text[: pieces[tokens - 1].stop]


def start(engine: Engine, prompt: Prompt, new_tokens: int, **options: Any) -> Run:
    """A run that goes on past the end token. Reuses nothing of earlier prompts unless `options` say so."""
    return Run(engine, Request(prompt, new_tokens, ignore_eos=True, **{"cache_prompt": False, **options}))


def wait_for_end(*runs: Run) -> None:
    """Returns when each has ended; a reader that waits for the end is not woken before."""
    for run in runs:
        for _ in run.attach(waits_for_end=True):
            pass


def wait_for_tokens(run: Run, count: int) -> None:
    """Returns when it has that many tokens."""
    _wait_until(lambda: sum(isinstance(event, Token) for event in run.events) >= count)


def wait_for_reading(run: Run) -> None:
    """Returns when its prompt is being read: when its first chunk has been, where the engine tells."""
    _wait_until(lambda: any(isinstance(event, PromptProgress | Token) for event in run.events))


def read_ttft(run: Run) -> float:
    """Seconds until its first token, which may be without a text."""
    return measure_streamed(run.submitted, run.events).tokens[0]


def read_cached(run: Run) -> int:
    """How many tokens of its prompt were reused."""
    return next(event.cached_tokens for event in run.events if isinstance(event, Started))


def read_text(run: Run) -> str:
    """What it answered."""
    return "".join(event.text for event in run.events if isinstance(event, Token))


def list_gaps(run: Run) -> list[Gap]:
    """Between its tokens, oldest first."""
    times = [event.time for event in run.events if isinstance(event, Token)]
    return [Gap(earlier, later) for earlier, later in pairwise(times)]


def _wait_until(is_so: Callable[[], bool]) -> None:
    end = time.perf_counter() + PATIENCE
    while not is_so():
        assert time.perf_counter() < end, "the engine is silent"
        time.sleep(_POLL)
