"""The logits after a prompt and after each of some given ids: what two ways of running one model are compared by."""

from collections.abc import Sequence

import torch
from torch import Tensor

from demo.engines.local.batch import Batch, Prefill

CHUNK = 128


@torch.inference_mode()
def read_prompt(batch: Batch, prompt: Sequence[int], sizes: Sequence[int] = (CHUNK,)) -> tuple[Prefill, Tensor]:
    """A prompt read in pieces of these sizes, in turn: ready to join; and the logits [vocabulary] after it."""
    prefill = batch.begin(prompt)
    turn = 0
    while (logits := prefill.read(sizes[turn % len(sizes)])) is None:
        turn += 1
    return prefill, logits


@torch.inference_mode()
def follow(batch: Batch, prompt: Sequence[int], ids: Sequence[int]) -> Tensor:
    """Logits [1 + ids, vocabulary] of an empty batch; the row that it gets leaves again."""
    prefill, first = read_prompt(batch, prompt)
    batch.join(prefill)
    rest = [batch.step([id])[0] for id in ids]
    batch.leave(0)
    return torch.stack([first, *rest])


def make_ids(count: int, seed: int = 0) -> list[int]:
    """Ids of a tiny model's bytes."""
    return torch.randint(256, (count,), generator=torch.Generator().manual_seed(seed)).tolist()
