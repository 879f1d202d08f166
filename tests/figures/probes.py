"""Requests of a known length to an engine, and the times of their tokens."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import Any, Final

from demo.engine import Engine
from demo.events import PromptProgress, Started, Token
from demo.metrics import measure_streamed
from demo.request import Prompt, Request
from demo.run import Run
from tests.comparison.prompts import WORDS

TIMEOUT: Final = 300.0  # seconds
_POLL: Final = 0.002  # seconds


@dataclass(frozen=True)
class Gap:
    """The time between two tokens, by the engine's clock."""

    begin: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.begin


def write_text(engine: Engine, key: str, tokens: int) -> str:
    """Words with a beginning that is unique to the key, cut to that many tokens of raw text."""
    draw = Random(key)
    text = " ".join(draw.choice(WORDS) for _ in range(2 * tokens))
    pieces = engine.tokenize(text)[1]
    return text[: pieces[tokens - 1].stop]


def start(engine: Engine, prompt: Prompt, new_tokens: int, **options: Any) -> Run:
    """A run that ignores the end token, without prefix caching unless `options` switch it on."""
    return Run(engine, Request(prompt, new_tokens, ignore_eos=True, **{"cache_prompt": False, **options}))


def wait_for_end(*runs: Run) -> None:
    """Return once each has ended. A reader with `waits_for_end` is not woken before."""
    for run in runs:
        for _ in run.attach(waits_for_end=True):
            pass


def wait_for_tokens(run: Run, count: int) -> None:
    """Return once it has that many tokens."""
    _wait_until(lambda: sum(isinstance(event, Token) for event in run.events) >= count)


def wait_for_reading(run: Run) -> None:
    """Return once its prompt is being read: after the first chunk, where the engine reports progress."""
    _wait_until(lambda: any(isinstance(event, PromptProgress | Token) for event in run.events))


def read_ttft(run: Run) -> float:
    """Seconds until its first token, which may be without text."""
    return measure_streamed(run.submitted, run.events).tokens[0]


def read_cached(run: Run) -> int:
    """The number of prompt tokens that were cached."""
    return next(event.cached_tokens or 0 for event in run.events if isinstance(event, Started))


def read_text(run: Run) -> str:
    """The text of its answer."""
    return "".join(event.text for event in run.events if isinstance(event, Token))


def list_gaps(run: Run) -> list[Gap]:
    """The gaps between its tokens, oldest first."""
    times = [event.time for event in run.events if isinstance(event, Token)]
    return [Gap(earlier, later) for earlier, later in pairwise(times)]


def _wait_until(is_reached: Callable[[], bool]) -> None:
    end = time.perf_counter() + TIMEOUT
    while not is_reached():
        assert time.perf_counter() < end, "the engine is silent"
        time.sleep(_POLL)
