"""The tokens that end an answer: those that a model's files configure, and those that llama.cpp knows by their text.

Files often name one end only, or a wrong one; then a chat model would continue with the user's next turn.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from demo.engines.local.tokenizer import Tokenizer

CONFIGURED: Final = ("eos_token_id", "eos_token_ids", "eot_token_id", "eom_token_id")  # under `tokenizer.ggml`
# llama.cpp's list (src/llama-vocab.cpp). In every vocabulary these texts are ends:
ENDS: Final = (
    "<|eot_id|>", "<|eom_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|calls|>", "<|flush|>",
    "<|endoftext|>", "<|end_of_text|>", "<end_of_turn>", "<end_of_utterance>", "<｜end▁of▁sentence｜>",
    "<|tool_response>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>",
)  # fmt: skip
# These could be plain text, as `</s>` is in HTML: they are ends only where they are control tokens.
CONTROL_ENDS: Final = ("</s>", "<eos>", "<turn|>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]", "<PAD>", "[PAD]", "<fim-pad>")
# Beside both of a pair, `<|end|>` ends only one message of several (gpt-oss, Solar).
SEVERAL_MESSAGES: Final = ({"<|return|>", "<|call|>"}, {"<|calls|>", "<|flush|>"}, {"<|call|>", "<|flush|>"})


def find_end_ids(tokenizer: Tokenizer, configured: Iterable[int], vocabulary: int) -> frozenset[int]:
    """The ids that end an answer, the `configured` ones included; like llama.cpp, only those below `vocabulary`."""
    control = tokenizer.control_tokens
    texts = (*ENDS, *(text for text in CONTROL_ENDS if text in control))
    ends = {text: id for text in texts if (id := tokenizer.token_id(text)) is not None}
    if any(pair <= ends.keys() for pair in SEVERAL_MESSAGES):
        ends.pop("<|end|>", None)
    own = () if tokenizer.eos_id is None else (tokenizer.eos_id,)
    return frozenset(id for id in (*ends.values(), *configured, *own) if 0 <= id < vocabulary)


def list_gguf_ends(metadata: Mapping[str, Any]) -> list[int]:
    """The end ids that a GGUF file's metadata name."""
    return flatten_ids(metadata.get(f"tokenizer.ggml.{name}") for name in CONFIGURED)


def flatten_ids(values: Iterable[int | list[int] | None]) -> list[int]:
    """The ids in values that are an id, a list of ids, or None."""
    return [id for value in values if value is not None for id in (value if isinstance(value, list) else [value])]
