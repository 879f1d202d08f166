"""A program around transformers' `generate`: `python -m tests.comparison.systems.generate FOLDER`."""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.generation.streamers import BaseStreamer

from tests.comparison.systems.program import Generate, Messages, serve_lines


def load(folder: str) -> Generate:
    """The model and its tokenizer from a folder, in float32."""
    network = AutoModelForCausalLM.from_pretrained(folder, dtype="float32")
    return partial(generate, AutoTokenizer.from_pretrained(folder), network.eval())


def generate(
    tokenizer: Any, network: Any, messages: Messages, new_tokens: int, listen: Callable[[str], None]
) -> tuple[str, int, int]:
    """Greedy, to the full length. Each token counts as a piece; the text is decoded at the end."""
    inputs = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    options = {"min_new_tokens": new_tokens, "max_new_tokens": new_tokens, "do_sample": False}
    ids = network.generate(**inputs, **options, streamer=TokenStreamer(listen), pad_token_id=0)[0]
    prompt = inputs["input_ids"].shape[1]
    return tokenizer.decode(ids[prompt:], skip_special_tokens=True), len(ids) - prompt, prompt


class TokenStreamer(BaseStreamer):
    """Calls `listen` for each token. transformers' first call hands over the prompt."""

    def __init__(self, listen: Callable[[str], None]) -> None:
        self._listen = listen
        self._has_prompt = False

    def put(self, value: Any) -> None:
        if self._has_prompt:
            self._listen(" ")
        self._has_prompt = True

    def end(self) -> None:
        pass


if __name__ == "__main__":
    serve_lines(lambda: load(sys.argv[1]))
