"""Prefill of a whole short prompt, captured for a few lengths.

For a short prompt, launching operations one by one takes longer than computing them. Longer prompts are read eagerly.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import torch
from torch import Tensor
from transformers import PreTrainedModel

from demo.engines.local.async_copy import send
from demo.engines.local.runners.transformers.cuda_graphs.capture import GraphCapturer
from demo.engines.local.runners.transformers.forward import Forward
from demo.engines.local.runners.transformers.padded_kv import RowsCache

LENGTHS = (32, 64, 128, 256, 512)

Read: TypeAlias = tuple[Tensor, RowsCache]  # logits [1, 1, vocabulary] after the prompt, and its keys and values


class PromptReader:
    """Reads prompts of one model. The result of a captured prefill is valid until the next prompt is read."""

    def __init__(self, network: PreTrainedModel) -> None:
        self.forward = Forward(network)
        self._network = network
        self._ids = torch.zeros((1, LENGTHS[-1]), dtype=torch.long, device=network.device)
        self._positions = torch.arange(LENGTHS[-1], device=network.device)[None]
        self._last = torch.zeros(1, dtype=torch.long, device=network.device)  # index of the prompt's last token
        self._captured: dict[int, Callable[[], Read]] = {}

    def capture(self, capturer: GraphCapturer, lengths: Sequence[int]) -> Iterator[int]:
        """Capture the prefill for prompts of up to each of `lengths`. Yields each length before it is captured."""
        for length in sorted(lengths, reverse=True):
            yield length
            self._captured[length] = capturer.capture(self._bind(length))

    def read(self, prompt: Tensor) -> Read | None:
        """Read a whole prompt [1, length] on the CPU; None where no captured length is long enough."""
        count = prompt.shape[1]
        fitting = [length for length in self._captured if length >= count]
        if not fitting:
            return None
        self._ids[:, :count] = send(prompt, self._ids.device)
        self._last.fill_(count - 1)
        return self._captured[min(fitting)]()

    def _bind(self, length: int) -> Callable[[], Read]:
        def compute() -> Read:
            # The padding after the prompt's last token is read too; causal attention hides it from the prompt.
            cache, takes_last = RowsCache(), self.forward.takes_logits_to_keep
            arguments = {
                "input_ids": self._ids[:, :length],
                "position_ids": self._positions[:, :length],
                self.forward.cache_name: cache,
                **({"logits_to_keep": self._last} if takes_last else {}),
            }
            logits: Tensor = self._network(**arguments, use_cache=True).logits
            return logits if takes_last else logits[:, self._last], cache

        return compute
