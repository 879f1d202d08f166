"""Greedy answers to the page's example prompts, from weights as they are stored and in float32, side by side."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from demo.engine.model import load_model
from demo.engine.worker import Worker
from demo.events import Message, Request, Token
from demo.run import Run
from demo.settings import Settings
from tests.figures.speed import wait_until_ready

PROMPTS: Final = Path("assets/prompts.json")
NEW_TOKENS: Final = 48


@dataclass(frozen=True)
class Pair:
    """Two answers to one prompt."""

    prompt: str
    stored: str
    exact: str

    def __str__(self) -> str:
        return f"\n{self.prompt}\n  as stored: {self.stored!r}\n  float32:   {self.exact!r}"


def compare_answers() -> list[Pair]:
    """Every example prompt, answered in both ways."""
    prompts: list[str] = json.loads(PROMPTS.read_text())
    stored, exact = (_answer(dtype, prompts) for dtype in ("stored", "float32"))
    return [Pair(*each) for each in zip(prompts, stored, exact, strict=True)]


def _answer(dtype: str, prompts: Sequence[str]) -> list[str]:
    engine = Worker(lambda report: load_model(Settings(dtype=dtype), report), len(prompts))
    wait_until_ready(engine)
    runs = [Run(engine, Request((Message("user", prompt),), NEW_TOKENS)) for prompt in prompts]
    texts = [
        "".join(event.text for batch in run.attach() for event in batch if isinstance(event, Token)) for run in runs
    ]
    engine.close()
    return texts
