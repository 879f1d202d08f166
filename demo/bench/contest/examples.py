"""Greedy answers to the page's example prompts, from the weights as they are stored and from the same in float32."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from demo.bench.peers.contestant import Contestant, Question

EXAMPLE_TOKENS: Final = 48


@dataclass(frozen=True, slots=True)
class Example:
    """One prompt and two answers to it."""

    prompt: str
    stored: str
    exact: str


def answer_all(server: Contestant, prompts: Sequence[str]) -> list[str]:
    """What it says to each, asked together. Raises Unmeasured where it fails."""
    questions = [Question(({"role": "user", "content": prompt},), EXAMPLE_TOKENS) for prompt in prompts]
    return [answer.text for answer in server.ask(questions)]
