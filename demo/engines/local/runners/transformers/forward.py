"""One pass through any causal model's own transformers forward: ids in, the logits after them out."""

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.cache_utils import Cache


class Forward:
    """A model's forward, called with those of our arguments that it knows."""

    def __init__(self, network: PreTrainedModel) -> None:
        known = inspect.signature(network.forward).parameters
        self._network = network
        self.device = network.device
        self._cache_name = name_cache(network)
        self.takes_positions = "position_ids" in known
        self._takes_logits_to_keep = "logits_to_keep" in known

    def __call__(self, ids: Tensor, cache: Cache, lengths: Sequence[int], mask: Tensor | None = None) -> Tensor:
        """Logits [rows, vocabulary] after `ids` [rows, new]; `cache` holds `lengths` tokens and gains `new`."""
        return self.score(ids, cache, lengths, mask, keep=1)[:, -1]

    def score(
        self, ids: Tensor, cache: Cache, lengths: Sequence[int], mask: Tensor | None = None, keep: int = 0
    ) -> Tensor:
        """Logits [rows, keep, vocabulary] after the last `keep` of `ids` [rows, new]; 0 keeps them all.

        `mask` is [rows, columns of the cache + new], 0 where a row has padding; None where no row has any.
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


def name_cache(network: PreTrainedModel) -> str:
    """What the network's forward calls the memory that it goes on with: models of other versions have other names."""
    known = inspect.signature(network.forward).parameters
    return next(name for name in ("cache", "cache_params", "past_key_values") if name in known)


SCORED_AT_ONCE = 64  # prompt tokens whose logits are all kept: a vocabulary of numbers for each


class NetworkPrefill:
    """One prompt, read into a cache of its own: in chunks, unless `whole` says that the cache can't continue."""

    def __init__(self, forward: Forward, cache: Cache, prompt: Sequence[int], whole: bool = False) -> None:
        self.cache = cache
        self.length = 0
        self.logprobs: list[float] = []  # of each token of the prompt but the first, by `score`
        self._whole = whole
        self._forward = forward
        self._prompt = torch.tensor([list(prompt)])

    def read(self, size: int) -> Tensor | None:
        """Read up to `size` more tokens. The logits [vocabulary] after the last one, None before."""
        chunk = self._prompt if self._whole else self._prompt[:, self.length : self.length + size]
        logits = self._forward(chunk, self.cache, [self.length])
        self.length += chunk.shape[1]
        return logits[0] if self.length == self._prompt.shape[1] else None

    def score(self) -> Tensor | None:
        """`read` a few tokens, and note how likely each one after the first was."""
        size = self._prompt.shape[1] if self._whole else SCORED_AT_ONCE
        chunk = self._prompt[:, self.length : self.length + size]
        logits = self._forward.score(chunk, self.cache, [self.length])[0]
        self.length += chunk.shape[1]
        followers = self._prompt[0, len(self.logprobs) + 1 : self.length + 1].to(logits.device)
        logprobs = logits.float().log_softmax(dim=-1)[: len(followers)]
        self.logprobs += logprobs.gather(1, followers[:, None])[:, 0].tolist()
        return logits[-1] if self.length == self._prompt.shape[1] else None
