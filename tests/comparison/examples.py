"""Greedy answers to the page's example prompts, with the weights as stored and in float32."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tests.comparison.systems.system import Question, SystemUnderTest

EXAMPLE_TOKENS: Final = 48


@dataclass(frozen=True, slots=True)
class Example:
    """One prompt and two answers to it."""

    prompt: str
    stored: str
    exact: str


def answer_all(server: SystemUnderTest, prompts: Sequence[str]) -> list[str]:
    """The answers, asked for concurrently. Raises MeasurementError where the server fails."""
    questions = [Question(({"role": "user", "content": prompt},), EXAMPLE_TOKENS) for prompt in prompts]
    return [answer.text for answer in server.ask(questions)]
