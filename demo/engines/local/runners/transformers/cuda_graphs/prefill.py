"""Prefill of a whole short prompt, captured for a few lengths.

To launch its operations one by one takes longer than a GPU takes to compute them. Longer prompts are read eagerly.
"""

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import torch
from torch import Tensor
from transformers import PreTrainedModel

from demo.engines.local.async_copy import send
from demo.engines.local.runners.transformers.cuda_graphs.capture import Capturer
from demo.engines.local.runners.transformers.forward import Forward, name_cache
from demo.engines.local.runners.transformers.padded_kv import RowsCache

LENGTHS = (32, 64, 128, 256, 512)

Read: TypeAlias = tuple[Tensor, RowsCache]  # logits [1, 1, vocabulary] after the prompt, and its keys and values


class PromptReader:
    """Reads prompts of one model. What a captured prefill gives is valid until the next prompt is read."""

    def __init__(self, network: PreTrainedModel) -> None:
        self.forward = Forward(network)
        self._network = network
        self._ids = torch.zeros((1, LENGTHS[-1]), dtype=torch.long, device=network.device)
        self._positions = torch.arange(LENGTHS[-1], device=network.device)[None]
        self._last = torch.zeros(1, dtype=torch.long, device=network.device)  # place of the prompt's last token
        self._cache_name = name_cache(network)
        self._takes_last = "logits_to_keep" in inspect.signature(network.forward).parameters
        self._captured: dict[int, Callable[[], Read]] = {}

    def capture(self, capturer: Capturer, lengths: Sequence[int]) -> Iterator[int]:
        """Capture it for prompts of up to each of `lengths`; names each before it is captured."""
        for length in sorted(lengths, reverse=True):
            yield length
            self._captured[length] = capturer.capture(self._bind(length))

    def read(self, prompt: Tensor) -> Read | None:
        """What is known after a whole prompt [1, length] of the CPU; None where nothing so long is captured."""
        count = prompt.shape[1]
        fitting = [length for length in self._captured if length >= count]
        if not fitting:
            return None
        self._ids[:, :count] = send(prompt, self._ids.device)
        self._last.fill_(count - 1)
        return self._captured[min(fitting)]()

    def _bind(self, length: int) -> Callable[[], Read]:
        def compute() -> Read:
            # What stands behind the prompt's last token is read too, and seen by none before it.
            cache = RowsCache()
            options = {"logits_to_keep": self._last} if self._takes_last else {}
            inputs = {"input_ids": self._ids[:, :length], "position_ids": self._positions[:, :length]}
            remembered = {self._cache_name: cache, "use_cache": True}
            logits: Tensor = self._network(**inputs, **remembered, **options).logits
            return logits if self._takes_last else logits[:, self._last], cache

        return compute
