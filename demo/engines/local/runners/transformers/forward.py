"""One pass through any causal model's own transformers forward: ids in, the logits after them out."""

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.cache_utils import Cache

from demo.engines.local.runners.transformers.padded_kv import RowsCache


class Forward:
    """A model's forward, called with those of our arguments that it knows."""

    def __init__(self, network: PreTrainedModel) -> None:
        known = inspect.signature(network.forward).parameters
        self._network = network
        self.device = network.device
        self._cache_name = name_cache(network)
        self.takes_positions = "position_ids" in known
        self._takes_logits_to_keep = "logits_to_keep" in known

    def __call__(
        self, ids: Tensor, cache: Cache, lengths: Sequence[int], mask: Tensor | None = None, keep: int = 1
    ) -> Tensor:
        """Logits [rows, keep or more, vocabulary] after the last of `ids` [rows, new].

        `cache` holds `lengths` tokens and gains `new`. `mask` is [rows, columns of the cache + new], 0 where a row has
        padding; None where no row has any.
        """
        device = self.device
        arguments: dict[str, Any] = {self._cache_name: cache, "use_cache": True}
        if mask is not None:
            arguments["attention_mask"] = mask.to(device)
        if self.takes_positions:
            first = torch.tensor(lengths, device=device)[:, None]
            arguments["position_ids"] = first + torch.arange(ids.shape[1], device=device)
        if self._takes_logits_to_keep:
            arguments["logits_to_keep"] = keep
        logits: Tensor = self._network(input_ids=ids.to(device), **arguments).logits
        return logits

    @torch.inference_mode()
    def count_bytes(self) -> int:
        """What the keys and values of one token take in a cache of ours: a token is read to see."""
        cache = RowsCache()
        self(torch.zeros((1, 1), dtype=torch.long), cache, [0])
        return cache.count_bytes()


def name_cache(network: PreTrainedModel) -> str:
    """What the network's forward calls the memory that it goes on with: models of other versions have other names."""
    known = inspect.signature(network.forward).parameters
    return next(name for name in ("cache", "cache_params", "past_key_values") if name in known)
