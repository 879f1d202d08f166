"""A minimal engine over captured parts: sequences join and leave between steps."""

from dataclasses import dataclass, field

import torch

from demo.engines.local.output import SampledToken
from demo.engines.local.runners.transformers.cuda_graphs.loading import Captured
from demo.engines.local.sampler import Sampler


@dataclass
class CapturedLoop:
    """`tokens` by slot, of the sequences that are there."""

    parts: Captured
    tokens: dict[int, list[SampledToken]] = field(default_factory=dict)

    @torch.inference_mode()
    def step(self, *joining: tuple[list[int], Sampler], skipped: int | None = None) -> list[int]:
        """One token more for each sequence but that in `skipped`, and the first of each joining one. Their slots."""
        running = [slot for slot in self.tokens if slot != skipped]
        if running:
            self.parts.step(running)
        joined = [self._read(prompt, sampler, []) for prompt, sampler in joining]
        self._draw(running + joined)
        return joined

    @torch.inference_mode()
    def resume(self, prompt: list[int], sampler: Sampler, generated: list[int]) -> list[int]:
        """Continue a sequence of which some tokens are `generated`."""
        slot = self._read(prompt, sampler, generated)
        self._draw([slot])
        return [slot]

    def _draw(self, slots: list[int]) -> None:
        outcomes = self.parts.sampler.draw(slots).read()
        for slot, outcome in zip(slots, outcomes, strict=True):
            assert isinstance(outcome, SampledToken), outcome
            self.tokens[slot].append(outcome)

    def _read(self, prompt: list[int], sampler: Sampler, generated: list[int]) -> int:
        ids = prompt + generated
        read = self.parts.reader.read(torch.tensor([ids]))
        assert read is not None, "no prefill of that length is captured"
        logits, cache = read
        slot = self.parts.step.cache.join(cache.filled(), len(ids))
        self.parts.step.place(slot, logits[0, 0])
        self.parts.sampler.join(slot, sampler, generated)
        self.tokens[slot] = []
        return slot

    @torch.inference_mode()
    def leave(self, slot: int) -> list[int]:
        """Free a slot: the ids sampled for it."""
        self.parts.step.cache.leave(slot)
        self.parts.sampler.leave(slot)
        return [token.id for token in self.tokens.pop(slot)]
