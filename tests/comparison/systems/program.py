"""The loop of a program around a library under test: questions and answers as lines of JSON, until the input ends."""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

Messages = list[dict[str, str]]
Generate = Callable[[Messages, int, Callable[[str], None]], tuple[str, int, int]]
"""(messages, new tokens, callback for each piece of text) -> (text, new tokens, prompt tokens)"""


def serve_lines(load: Callable[[], Generate]) -> None:
    """Load, then answer each line. An empty object is answered by one as soon as the model is loaded."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the library prints must not be read as an answer
    generate = load()
    for line in sys.stdin:
        question = json.loads(line)
        print(json.dumps(_answer(generate, question) if question else {}), file=answers, flush=True)


def _answer(generate: Generate, question: dict[str, Any]) -> dict[str, Any]:
    times: list[float] = []

    def stamp(text: str) -> None:
        if text:
            times.append(time.perf_counter())

    asked = time.perf_counter()
    text, tokens, prompt_tokens = generate(question["messages"], question["new_tokens"], stamp)
    return {"asked": asked, "times": times, "tokens": tokens, "text": text, "prompt_tokens": prompt_tokens}
