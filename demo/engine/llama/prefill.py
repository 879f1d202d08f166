"""The reading of prompts: so many tokens at a time, those of several prompts together."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from torch import Tensor

from demo.engine.batch import Prefill
from demo.engine.llama.cache import Memory
from demo.engine.llama.network import Llama
from demo.engine.llama.passing import Stretch

TOGETHER: Final = 128  # tokens that go through the layers together: more no longer fit into a core's cache


class LlamaPrefill(Prefill):
    """One prompt, read into a memory of its own. How it is cut and what it is read with never change what it gives."""

    def __init__(self, network: Llama, prompt: Sequence[int]) -> None:
        self.memory = Memory(network.shape)
        self.logprobs: list[float] = []
        self._network = network
        self._prompt = prompt

    @property
    def left(self) -> int:
        """Tokens that have not been read."""
        return len(self._prompt) - self.memory.length

    def cut(self, size: int) -> Stretch:
        """The next tokens, so many; or all there are, where hardly more would be left for a turn of its own."""
        first = self.memory.length
        return Stretch(self.memory, self._prompt[first : first + (size if self.left > size * 5 // 4 else self.left)])

    def read(self, size: int) -> Tensor | None:
        (logits,) = read_prompts(self._network, [self], size)
        return logits

    def score(self) -> Tensor | None:
        stretch = self.cut(TOGETHER)
        logits = self._network.read([stretch], range(len(stretch.ids)))
        followers = logits.new_tensor(self._prompt[len(self.logprobs) + 1 : self.memory.length + 1]).long()
        logprobs = logits[: len(followers)].log_softmax(dim=-1)
        self.logprobs += logprobs.gather(1, followers[:, None])[:, 0].tolist()
        return None if self.left else logits[-1]


def read_prompts(network: Llama, prefills: Sequence[LlamaPrefill], size: int) -> list[Tensor | None]:
    """Read so many more tokens in all, those of the first prompts first; or until some of them have been read.

    The logits [vocabulary] after each prompt that has been read, None for the others.
    """
    found: dict[LlamaPrefill, Tensor] = {}
    while size > 0 and not found:
        stretches = _cut_together(prefills, min(size, TOGETHER))
        size -= sum(len(stretch.ids) for stretch in stretches)
        found = _read_together(network, prefills, stretches)
    return [found.get(prefill) for prefill in prefills]


def _cut_together(prefills: Sequence[LlamaPrefill], room: int) -> list[Stretch]:
    stretches = []
    for prefill in prefills:
        if room > 0:
            stretches.append(prefill.cut(room))
            room -= len(stretches[-1].ids)
    return stretches


def _read_together(
    network: Llama, prefills: Sequence[LlamaPrefill], stretches: Sequence[Stretch]
) -> dict[LlamaPrefill, Tensor]:
    """The logits after those of the first prompts whose stretch is their last."""
    ends = list(accumulate(len(stretch.ids) for stretch in stretches))
    last = [
        (prefill, end - 1)
        for prefill, stretch, end in zip(prefills, stretches, ends, strict=False)
        if prefill.left == len(stretch.ids)
    ]
    logits = network.read(stretches, [token for _, token in last])
    return {prefill: each for (prefill, _), each in zip(last, logits, strict=True)}
