"""The greatest of many logits, found without ranking them all."""

from typing import Final

import torch
from torch import Tensor

BLOCK: Final = 16  # logits of which the greatest stands for all at first


def find_likeliest(logits: Tensor, count: int) -> Tensor:
    """Ids [rows, count] of the greatest of logits [rows, vocabulary], in no order; all where there are no more.

    They lie in the `count` blocks with the greatest maxima: a tenth of what would have to be ranked otherwise.
    """
    rows, vocabulary = logits.shape
    blocks = vocabulary // BLOCK
    if vocabulary % BLOCK or blocks <= count:
        return logits.topk(min(count, vocabulary), dim=-1, sorted=False).indices
    best = logits.view(rows, BLOCK, blocks).amax(dim=1).topk(count, dim=-1, sorted=False).indices
    ids = (best[:, None] + torch.arange(0, vocabulary, blocks)[:, None]).flatten(1)
    return ids.gather(1, logits.gather(1, ids).topk(count, dim=-1, sorted=False).indices)
