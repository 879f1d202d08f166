"""What every way of loading a model gives: its tokenizer, and a runner of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from demo.engines.local.loading.kv_memory import KVMemory
from demo.engines.local.runner import Runner
from demo.engines.local.tokenizer import Tokenizer

if TYPE_CHECKING:  # it takes two seconds, which what does without transformers is spared
    from transformers import PreTrainedModel


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model on its device. `context` is how many tokens it can read, None where nothing bounds them.

    `network` is what of transformers makes its logits, None where transformers has no part in them.
    """

    tokenizer: Tokenizer
    make_runner: Callable[[KVMemory], Runner]
    eos_ids: frozenset[int]
    context: int | None
    device: str
    dtype: str
    revision: str | None = None
    network: "PreTrainedModel | None" = None
