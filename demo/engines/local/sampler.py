"""From logits to the next tokens: what one request remembers, and the draw for many requests at once.

Rows that need the same steps go through them together, and all that the CPU wants to know comes in one tensor.
Log-probabilities are natural, of the distribution that the token was drawn from.
"""

from collections.abc import Sequence
from itertools import islice
from typing import TypeAlias

import torch
from torch import Tensor

from demo.engines.local.async_copy import DeviceToHostCopy, send
from demo.engines.local.logits_processors import (
    REMOVED,
    make_processors,
    penalise_frequency,
    penalise_presence,
    penalise_repetition,
)
from demo.engines.local.output import SampledToken
from demo.events import Sampling

Outcome: TypeAlias = SampledToken | Exception


class Sampler:
    """What the choices of one request depend on. Same sampling, seed and logits: same tokens."""

    def __init__(self, sampling: Sampling, seed: int, prompt: Sequence[int], top_n: int = 0) -> None:
        self.sampling = sampling
        self.top_n = top_n
        penalties = (sampling.repetition_penalty - 1.0, sampling.frequency_penalty, sampling.presence_penalty)
        self.looks_back = any(penalties)
        self._random = torch.Generator().manual_seed(seed)
        self._seen = torch.tensor(prompt, dtype=torch.long)
        self._generated = torch.empty(0, dtype=torch.long)

    def choose(self, logits: Tensor) -> SampledToken:
        """The next token for `logits` [vocabulary], alone. Raises ValueError where they hold no usable number."""
        (outcome,) = BatchSampler([self], logits.device).draw(logits[None]).read()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def penalise(self, logits: Tensor) -> Tensor:
        """Logits [vocabulary] less what this request's past takes off them."""
        sampling, device = self.sampling, logits.device
        self._seen, self._generated = self._seen.to(device), self._generated.to(device)
        if sampling.repetition_penalty != 1.0:
            logits = penalise_repetition(logits, self._seen, sampling.repetition_penalty)
        if sampling.frequency_penalty != 0.0:
            logits = penalise_frequency(logits, self._generated, sampling.frequency_penalty)
        if sampling.presence_penalty != 0.0:
            logits = penalise_presence(logits, self._generated, sampling.presence_penalty)
        return logits

    def remember(self, id: Tensor) -> None:
        """Note a chosen id [1], for the penalties of the tokens after it."""
        self._seen = torch.cat([self._seen, id])
        self._generated = torch.cat([self._generated, id])

    def point(self) -> Tensor:
        """A number from 0 to 1, the next of this request's own."""
        return torch.rand((), generator=self._random, dtype=torch.float64)


class Group:
    """Requests whose tokens are chosen by the same steps, each with its own numbers."""

    def __init__(self, samplers: Sequence[Sampler], device: torch.device) -> None:
        self._samplers = samplers
        self._is_random = samplers[0].sampling.is_random
        self._looks_back = samplers[0].looks_back
        self.top_n = samplers[0].top_n
        self._room: Tensor | None = None
        self._warpers = make_processors([sampler.sampling for sampler in samplers], device)

    def draw(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Ids [rows] for logits [rows, vocabulary]; and [rows, 2 + 2 top n], all that is to be read of them."""
        if self._looks_back:
            logits = torch.stack([each.penalise(row) for each, row in zip(self._samplers, logits, strict=True)])
        for warp in self._warpers:
            logits = warp(logits)
        logprobs = logits.log_softmax(dim=-1)
        chosen, ids = self._pick(logprobs) if self._is_random else logprobs.max(dim=-1, keepdim=True)
        if self._looks_back:
            for sampler, id in zip(self._samplers, ids, strict=True):
                sampler.remember(id)
        parts = [ids, chosen]
        if self.top_n:
            likeliest = logprobs.topk(self.top_n)
            parts += [likeliest.indices, likeliest.values]
        # In one format, which holds ids and numbers exactly, so that one copy takes all.
        return ids[:, 0], torch.cat([part.double() for part in parts], dim=-1)

    def _pick(self, logprobs: Tensor) -> tuple[Tensor, Tensor]:
        # One uniform number inverted through the cumulative sum: the same draw on every device.
        cumulative = self._make_room(logprobs).copy_(logprobs.exp()).cumsum_(dim=-1)
        points = send(torch.stack([sampler.point() for sampler in self._samplers]), cumulative.device)
        reached = torch.searchsorted(cumulative, points[:, None] * cumulative[:, -1:], right=True)
        ids = reached.clamp(max=logprobs.shape[-1] - 1)
        return logprobs.gather(-1, ids), ids

    def _make_room(self, logprobs: Tensor) -> Tensor:
        # Kept from step to step: fetching fresh memory for it takes a CPU longer than the sum itself.
        if self._room is None:
            self._room = torch.empty_like(logprobs, dtype=torch.float64)
        return self._room


class SamplerOutput:
    """Chosen tokens, on their way from the device. `ids` [rows] stay there."""

    def __init__(self, ids: Tensor, groups: Sequence[tuple[Group, Sequence[int]]], report: Tensor) -> None:
        self.ids = ids
        self._groups = groups
        self._report = DeviceToHostCopy(report)

    def wait(self) -> None:
        """Return when they have been chosen."""
        self._report.wait()

    def read(self) -> list[Outcome]:
        """The token of every row, or what went wrong in choosing it."""
        numbers = iter(self._report.read().tolist())
        outcomes: dict[int, Outcome] = {}
        for group, rows in self._groups:
            for row in rows:
                outcomes[row] = _read_outcome(list(islice(numbers, 2 + 2 * group.top_n)))
        return [outcomes[row] for row in range(len(outcomes))]


class BatchSampler:
    """Chooses the next tokens of requests that stand together, in the order of `samplers`."""

    def __init__(self, samplers: Sequence[Sampler], device: torch.device) -> None:
        kinds: dict[tuple[object, ...], list[int]] = {}
        for row, sampler in enumerate(samplers):
            kinds.setdefault(_name_kind(sampler), []).append(row)
        self._groups = [(Group([samplers[row] for row in rows], device), rows) for rows in kinds.values()]
        self._indices = [send(torch.tensor(rows), device) for rows in kinds.values()]

    def draw(self, logits: Tensor) -> SamplerOutput:
        """Start to choose a token for each row of `logits` [rows, vocabulary]."""
        logits = logits.float()
        if len(self._groups) == 1:
            ids, report = self._groups[0][0].draw(logits)
            return SamplerOutput(ids, self._groups, report.flatten())
        ids = torch.empty(len(logits), dtype=torch.long, device=logits.device)
        reports = []
        for (group, _), index in zip(self._groups, self._indices, strict=True):
            ids[index], report = group.draw(logits[index])
            reports.append(report.flatten())
        return SamplerOutput(ids, self._groups, torch.cat(reports))


def _name_kind(sampler: Sampler) -> tuple[object, ...]:
    """What decides which steps a request's tokens go through."""
    sampling = sampler.sampling
    warped = (sampling.temperature == 1.0, sampling.top_k is None, sampling.top_p is None, sampling.typical_p is None)
    return (sampling.is_random, *warped, sampler.looks_back, sampler.top_n)


def _read_outcome(numbers: list[float]) -> Outcome:
    id, logprob, *top = numbers
    if logprob != logprob:
        return ValueError("the model's logits are not numbers (NaN)")
    half = len(top) // 2
    ranked = zip(map(int, top[:half]), top[half:], strict=True)
    return SampledToken(int(id), logprob, tuple((id, logprob) for id, logprob in ranked if logprob > REMOVED))
