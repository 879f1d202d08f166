"""Requests of a known length to an engine, and the times of their tokens."""

from itertools import pairwise
from random import Random
from typing import Any, Final

from demo.engine import Engine
from demo.events import PromptProgress, Started, Token
from demo.metrics import measure_streamed
from demo.request import Prompt, Request
from demo.run import Run
from tests.comparison.prompts import WORDS
from tests.figures.wire import wait_until

TIMEOUT: Final = 300.0  # seconds
_POLL: Final = 0.002  # seconds
_SILENT: Final = "the engine is silent"


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
    wait_until(lambda: sum(isinstance(event, Token) for event in run.events) >= count, _SILENT, TIMEOUT, _POLL)


def wait_for_reading(run: Run) -> None:
    """Return once its prompt is being read: after the first chunk, where the engine reports progress."""
    wait_until(lambda: any(isinstance(event, PromptProgress | Token) for event in run.events), _SILENT, TIMEOUT, _POLL)


def read_ttft(run: Run) -> float:
    """Seconds until its first token, which may be without text."""
    return measure_streamed(run.submitted, run.events).tokens[0]


def read_cached(run: Run) -> int:
    return next(event.cached_tokens or 0 for event in run.events if isinstance(event, Started))


def read_text(run: Run) -> str:
    return "".join(event.text for event in run.events if isinstance(event, Token))


def list_gaps(run: Run) -> list[tuple[float, float]]:
    """The beginning and the end of the gaps between its tokens, oldest first, by the engine's clock."""
    return list(pairwise(event.time for event in run.events if isinstance(event, Token)))
