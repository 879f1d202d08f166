"""A forward pass of any causal transformers model: token ids in, logits out."""

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.cache_utils import Cache

from demo.engines.local.runners.transformers.padded_kv import RowsCache
from demo.errors import ModelError


class Forward:
    """Calls a model's forward with those of the arguments that the model knows. Raises ModelError without a cache."""

    def __init__(self, network: PreTrainedModel) -> None:
        known = inspect.signature(network.forward).parameters
        self._network = network
        self.device = network.device
        self.takes_positions = "position_ids" in known
        self.takes_logits_to_keep = "logits_to_keep" in known
        names = [name for name in ("cache", "cache_params", "past_key_values") if name in known]
        if not names:
            raise ModelError(
                f"A {network.config.model_type} model keeps what it has read in a form that is not known here: give "
                "another model."
            )
        self.cache_name = names[0]

    def __call__(
        self, ids: Tensor, cache: Cache, lengths: Sequence[int], mask: Tensor | None = None, keep: int = 1
    ) -> Tensor:
        """Logits [rows, keep or more, vocabulary] after the last of `ids` [rows, new].

        `cache` holds `lengths` tokens and gains `new`. `mask` is [rows, columns of the cache + new], 0 for padding;
        None where no row has any.
        """
        device = self.device
        arguments: dict[str, Any] = {self.cache_name: cache, "use_cache": True}
        if mask is not None:
            arguments["attention_mask"] = mask.to(device)
        if self.takes_positions:
            first = torch.tensor(lengths, device=device)[:, None]
            arguments["position_ids"] = first + torch.arange(ids.shape[1], device=device)
        if self.takes_logits_to_keep:
            arguments["logits_to_keep"] = keep
        logits: Tensor = self._network(input_ids=ids.to(device), **arguments).logits
        return logits

    @torch.inference_mode()
    def count_bytes(self) -> int:
        """Bytes of one token's keys and values in a RowsCache, measured by reading a token."""
        cache = RowsCache()
        self(torch.zeros((1, 1), dtype=torch.long), cache, [0])
        return cache.count_bytes()
