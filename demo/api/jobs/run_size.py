"""How much memory a run takes that has ended and is kept: estimated from its log. Knows no store."""

import sys
from typing import Final

from demo.events import Event, PromptRead, Started, Token
from demo.request import Prompt, TokenIds, list_texts
from demo.run import Run

# Bytes on 64-bit CPython 3.11, from sys.getsizeof: each object with its numbers, its text and its place in a list.
RUN_BYTES: Final = 4096  # with its request and what stands around it
EVENT_BYTES: Final = 320
CANDIDATE_BYTES: Final = 240
ID_BYTES: Final = 40


def measure_run(run: Run) -> int:
    """The bytes of a run with its prompt, about."""
    return RUN_BYTES + measure_texts(run.request.prompt) + sum(map(_measure_event, run.events))


def measure_texts(prompt: Prompt) -> int:
    if isinstance(prompt, TokenIds):
        return ID_BYTES * len(prompt)
    return sum(map(sys.getsizeof, list_texts(prompt)))


def _measure_event(event: Event) -> int:
    if isinstance(event, Token):
        return EVENT_BYTES + CANDIDATE_BYTES * (len(event.top) + (event.own is not None))
    if isinstance(event, Started):
        return EVENT_BYTES + ID_BYTES * len(event.prompt)
    return EVENT_BYTES + (CANDIDATE_BYTES * len(event.tokens) if isinstance(event, PromptRead) else 0)
