"""The reading of prompts: block by block, the blocks of several prompts together, as many layers at a time as asked."""

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from demo.engine.batch import Prefill
from demo.engine.llama.cache import Rows, append_several
from demo.engine.llama.linear import UNPACKED
from demo.engine.llama.network import Llama

BLOCK: Final = 128  # tokens of a prompt that go through the layers together
TOGETHER: Final = 4 * BLOCK  # tokens of several prompts that do: more make a layer no cheaper


class LlamaPrefill(Prefill):
    """One prompt, read into a row of its own.

    The prompt alone decides how it is blocked, and each block is multiplied by itself: the prompts that it is read
    with, and the rows for whose sake it is read in small pieces, never change what it gives.
    """

    def __init__(self, network: Llama, prompt: Sequence[int]) -> None:
        self.rows = Rows(network.shape)
        self.rows.lengths = [0]
        self.logprobs: list[float] = []
        self._network = network
        self._prompt = torch.tensor(prompt)
        self._layer = network.shape.layers  # up to which the block has been read
        self._hidden = torch.empty(0)

    def read(self, size: int) -> Tensor | None:
        (logits,) = read_prompts([self], size)
        return logits

    def score(self) -> Tensor | None:
        _advance([self], BLOCK * self._network.shape.layers)
        logits = self._network.score(self._hidden)
        followers = self._prompt[len(self.logprobs) + 1 : self.rows.lengths[0] + 1]
        logprobs = logits[: len(followers)].log_softmax(dim=-1)
        self.logprobs += logprobs.gather(1, followers[:, None])[:, 0].tolist()
        return None if self._left else logits[-1]

    @property
    def _left(self) -> int:
        return len(self._prompt) - self.rows.lengths[0]

    @property
    def _is_between_blocks(self) -> bool:
        return self._layer == self._network.shape.layers

    def _start_block(self) -> None:
        first = self.rows.lengths[0]
        ids = self._prompt[first : first + BLOCK]
        self._at = append_several(self.rows, len(ids), self._network)
        self._hidden = self._network.embed(ids)
        self._layer = 0

    def _take(self, hidden: Tensor, layer: int) -> None:
        """The block after so many layers."""
        self._hidden, self._layer = hidden, layer
        if self._is_between_blocks:
            self.rows.lengths = [self.rows.lengths[0] + len(hidden)]


def read_prompts(prefills: Sequence[LlamaPrefill], size: int) -> list[Tensor | None]:
    """Go on reading, until one of them has been read or the work is that of `size` tokens, one by one.

    The logits [vocabulary] after each prompt that has been read, None for the others.
    """
    network = prefills[0]._network
    work = float(size * network.shape.layers)  # of one token in one layer each
    while work > 0 and all(prefill._left for prefill in prefills):
        work -= _advance(_choose_together(prefills), work)
    read = [prefill for prefill in prefills if not prefill._left]
    if not read:
        return [None] * len(prefills)
    logits = dict(zip(read, network.score(torch.cat([prefill._hidden[-1:] for prefill in read])), strict=True))
    return [logits.get(prefill) for prefill in prefills]


def _choose_together(prefills: Sequence[LlamaPrefill]) -> list[LlamaPrefill]:
    """Those whose blocks are under way; else as many as have long blocks to begin with, or one with a short one."""
    under_way = [prefill for prefill in prefills if not prefill._is_between_blocks]
    if under_way:
        return under_way
    together, tokens = [prefills[0]], _count_next(prefills[0])
    for prefill in prefills[1:]:
        tokens += _count_next(prefill)
        if _count_next(prefill) > UNPACKED.few and _count_next(prefills[0]) > UNPACKED.few and tokens <= TOGETHER:
            together.append(prefill)
    return together


def _count_next(prefill: LlamaPrefill) -> int:
    return min(BLOCK, prefill._left)


def _advance(together: Sequence[LlamaPrefill], work: float) -> float:
    """Take a block of each through one layer, or as many as `work` allows. Returns the work done."""
    network = together[0]._network
    for prefill in together:
        if prefill._is_between_blocks:
            prefill._start_block()
    lengths = [len(prefill._hidden) for prefill in together]
    each, first = _weigh(lengths), together[0]._layer
    end = min(network.shape.layers, first + max(1, int(work / each)))
    hidden = network.read(
        torch.cat([prefill._hidden for prefill in together]),
        [prefill.rows.memory for prefill in together],
        [prefill._at for prefill in together],
        lengths if lengths[0] > UNPACKED.few else [],
        first,
        end,
    )
    for prefill, after in zip(together, hidden.split(lengths), strict=True):
        prefill._take(after, end)
    return (end - first) * each


def _weigh(lengths: Sequence[int]) -> float:
    """The work of taking blocks through a layer, in tokens that are read one by one.

    To unpack the weights costs much, but once for all; each prompt then costs something, and each token little.
    """
    if lengths[0] <= UNPACKED.few:
        return lengths[0]
    return UNPACKED.unpacking + UNPACKED.token * sum(length + 16 for length in lengths)
