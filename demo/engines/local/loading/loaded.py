"""A loaded model: its tokenizer, its limits, and how to make its runner."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from demo.engines.local.loading.free_memory import KVMemory
from demo.engines.local.runner import Runner
from demo.engines.local.tokenizer import Tokenizer

if TYPE_CHECKING:  # importing transformers takes two seconds, which a GGUF file does without
    from transformers import PreTrainedModel


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model on its device. `context` is the model's limit in tokens, None where it has none.

    `network` is None where another runner than transformers' computes the logits.
    """

    tokenizer: Tokenizer
    make_runner: Callable[[KVMemory], Runner]
    eos_ids: frozenset[int]
    context: int | None
    device: str
    dtype: str
    revision: str | None = None
    network: "PreTrainedModel | None" = None
