"""What the programs around other libraries share: a conversation in lines of JSON, until the input ends."""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

Messages = list[dict[str, str]]
Generate = Callable[[Messages, int, Callable[[str], None]], tuple[str, int, int]]
"""Messages and a length in, each piece of text to the listener; the text and both token counts out."""


def answer_lines(load: Callable[[], Generate]) -> None:
    """Load, then answer each line. An empty object is a greeting: it is answered once the model is there."""
    said = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    generate = load()
    for line in sys.stdin:
        question = json.loads(line)
        print(json.dumps(_answer(generate, question) if question else {}), file=said, flush=True)


def _answer(generate: Generate, question: dict[str, Any]) -> dict[str, Any]:
    times: list[float] = []

    def listen(text: str) -> None:
        if text:
            times.append(time.perf_counter())

    asked = time.perf_counter()
    text, tokens, prompt_tokens = generate(question["messages"], question["new_tokens"], listen)
    return {"asked": asked, "times": times, "tokens": tokens, "text": text, "prompt_tokens": prompt_tokens}
