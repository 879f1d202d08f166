"""Traces for tests."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from demo.events import Done, Event, FinishReason, Started, Token
from demo.request import Message, Request
from demo.trace import Trace


def make_trace(
    texts: Sequence[str] = ("Cheese ", "is ", "🧀", "."),
    question: str = "What is cheese?",
    gap: float = 0.02,
    reason: FinishReason = "eos_token",
    pace: float | None = None,
    request: Request | None = None,
    cached_tokens: int = 0,
) -> Trace:
    """A run whose prompt took one gap to read, and each token another."""
    tokens = [Token(gap * index, index, index, text, -0.5, special=False) for index, text in enumerate(texts, start=1)]
    end = tokens[-1].time if tokens else gap
    events: tuple[Event, ...] = (Started(0.001, 10, 0, cached_tokens), *tokens, Done(end, reason, len(tokens)))
    request = replace(request or Request((Message("user", question),)), pace=pace)
    return Trace(request, "a-model", "cpu", "float32", date(2026, 11, 23), events)
