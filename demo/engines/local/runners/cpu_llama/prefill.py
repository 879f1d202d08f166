"""The reading of prompts: so many tokens at a time, those of several prompts together."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from torch import Tensor

from demo.engines.local.batch import Prefill
from demo.engines.local.runners.cpu_llama.forward_batch import Chunk
from demo.engines.local.runners.cpu_llama.kv_pages import KVCache
from demo.engines.local.runners.cpu_llama.model import Llama

TOGETHER: Final = 128  # tokens that go through the layers together: more no longer fit into a core's cache


class LlamaPrefill(Prefill):
    """One prompt, read into a memory of its own. How it is cut and what it is read with never change what it gives."""

    def __init__(self, network: Llama, prompt: Sequence[int]) -> None:
        self.memory = KVCache(network.shape)
        self.logprobs: list[float] = []
        self.logits: Tensor | None = None  # after the last token, until somebody asks for them
        self._network = network
        self._prompt = prompt

    @property
    def length(self) -> int:
        return self.memory.length

    @property
    def left(self) -> int:
        """Tokens that have not been read."""
        return len(self._prompt) - self.memory.length

    def cut(self, size: int) -> Chunk:
        """The next tokens, so many; or all there are, where hardly more would be left for a turn of its own."""
        first = self.memory.length
        return Chunk(self.memory, self._prompt[first : first + (size if self.left > size * 5 // 4 else self.left)])

    def take(self) -> Tensor | None:
        """The logits, if they are there: once."""
        logits, self.logits = self.logits, None
        return logits

    def read(self, size: int) -> Tensor | None:
        read_prompts(self._network, [self], size)
        return self.take()

    def score(self) -> Tensor | None:
        stretch = self.cut(TOGETHER)
        logits = self._network.read([stretch], range(len(stretch.ids)))
        followers = logits.new_tensor(self._prompt[len(self.logprobs) + 1 : self.memory.length + 1]).long()
        logprobs = logits[: len(followers)].log_softmax(dim=-1)
        self.logprobs += logprobs.gather(1, followers[:, None])[:, 0].tolist()
        return None if self.left else logits[-1]


def read_prompts(network: Llama, prefills: Sequence[LlamaPrefill], size: int) -> None:
    """Read so many more tokens in all, those of the first prompts first; or until some of them have been read."""
    while size > 0 and all(prefill.left for prefill in prefills):
        read_beside(network, [], prefills, min(size, TOGETHER))
        size -= TOGETHER


def read_beside(network: Llama, rows: Sequence[Chunk], prefills: Sequence[LlamaPrefill], size: int) -> Tensor:
    """Read about so many more tokens of prompts in one pass with rows' new tokens [rows]: weights are fetched once.

    The rows' logits [rows, vocabulary]; a prompt that has been read has its own.
    """
    stretches = _cut_together(prefills, size)
    ends = accumulate((len(stretch.ids) for stretch in stretches), initial=len(rows))
    last = {
        prefill: end - 1
        for prefill, stretch, end in zip(prefills, stretches, list(ends)[1:], strict=False)
        if prefill.left == len(stretch.ids)
    }
    logits = network.read([*rows, *stretches], [*range(len(rows)), *last.values()])
    for prefill, each in zip(last, logits[len(rows) :], strict=True):
        prefill.logits = each
    return logits[: len(rows)]


def _cut_together(prefills: Sequence[LlamaPrefill], room: int) -> list[Chunk]:
    stretches = []
    for prefill in prefills:
        if room > 0:
            stretches.append(prefill.cut(room))
            room -= len(stretches[-1].ids)
    return stretches
