"""Grouped-query attention of one new token, for torch.compile: keys and values are not repeated for each query head.

transformers' own attention does not repeat them in eager mode, and does where it is compiled.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, PreTrainedModel

NAME: Final = "grouped_sdpa"


def attend(
    module: torch.nn.Module, query: Tensor, key: Tensor, value: Tensor, mask: Tensor, **options: Any
) -> tuple[Tensor, None]:
    """[rows, 1, heads, head size] for queries [rows, heads, 1, size], keys [rows, groups, columns, size] and `mask`.

    `mask` [rows, 1, 1, columns] is added to the scores of all heads.
    """
    rows, heads, _, _ = query.shape
    grouped = query.reshape(rows, key.shape[1], -1, query.shape[-1])  # the heads of a group take the place of tokens
    attended = scaled_dot_product_attention(grouped, key, value, attn_mask=mask, scale=options.get("scaling"))
    return attended.reshape(rows, 1, heads, value.shape[-1]), None


def name_attention(network: PreTrainedModel) -> str | None:
    """The network's attention by transformers' name, which has no public way to ask; None where that way is gone."""
    return getattr(network.config, "_attn_implementation", None)


@contextmanager
def use_grouped_attention(network: PreTrainedModel) -> Iterator[None]:
    """Let the network use `attend` in place of torch's scaled_dot_product_attention, if it uses that."""
    config, own = network.config, name_attention(network)
    if own != "sdpa":
        yield
        return
    config._attn_implementation = NAME
    try:
        yield
    finally:
        config._attn_implementation = own


AttentionInterface.register(NAME, attend)
