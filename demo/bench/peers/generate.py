"""A program: transformers' own `generate`, in a process of its own. `python -m demo.bench.peers.generate FOLDER`."""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from demo.bench.peers.program import Generate, Messages, answer_lines


def load(folder: str) -> Generate:
    """The model and its tokenizer from a folder, in float32."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    network = AutoModelForCausalLM.from_pretrained(folder, dtype="float32")
    return partial(generate, tokenizer, network.eval())


def generate(
    tokenizer: Any, network: Any, messages: Messages, new_tokens: int, listen: Callable[[str], None]
) -> tuple[str, int, int]:
    """Greedy, to the full length. Each token counts as a piece: text is made of them at the end."""
    inputs = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    options = {"min_new_tokens": new_tokens, "max_new_tokens": new_tokens, "do_sample": False}
    ids = network.generate(**inputs, **options, streamer=_Listener(listen), pad_token_id=0)[0]
    prompt = inputs["input_ids"].shape[1]
    return tokenizer.decode(ids[prompt:], skip_special_tokens=True), len(ids) - prompt, prompt


class _Listener:
    """transformers' streamer: the first call hands over the prompt."""

    def __init__(self, listen: Callable[[str], None]) -> None:
        self._listen = listen
        self._has_begun = False

    def put(self, value: Any) -> None:
        if self._has_begun:
            self._listen(" ")
        self._has_begun = True

    def end(self) -> None:
        pass


if __name__ == "__main__":
    answer_lines(lambda: load(sys.argv[1]))
