"""Samples the next tokens of many requests: rows that need the same operations are processed together.

All results of a step are copied to the CPU in one tensor. Log-probabilities are natural, of the distribution that the
token is sampled from.
"""

import sys
from collections.abc import Callable, Sequence
from itertools import islice
from typing import TypeAlias

import torch
from torch import Tensor

from demo.engines.local.async_copy import send
from demo.engines.local.logits_processors import (
    RANKED_FIRST,
    REMOVED,
    Feature,
    apply_penalties,
    find_features,
    process_logits,
    split_columns,
    stack_parameters,
)
from demo.engines.local.output import SampledToken
from demo.request import Sampling

Outcome: TypeAlias = SampledToken | Exception


class Sampler:
    """The sampling state of one request. The same sampling, seed and logits give the same tokens."""

    def __init__(self, sampling: Sampling, seed: int, prompt: Sequence[int], top_n: int = 0) -> None:
        self.sampling = sampling
        self.top_n = top_n
        self.prompt = prompt
        self.features = find_features(sampling, top_n)
        self._seed = seed
        self._random = torch.Generator().manual_seed(seed)
        self._past: Past | None = None

    def recall(self, vocabulary: int, device: torch.device) -> "Past":
        """The ids before the next token."""
        if self._past is None:
            self._past = Past(self.prompt, vocabulary, device)
        return self._past

    def point(self) -> Tensor:
        """The next uniform number from 0 to 1 of this request's generator, float64 []."""
        return torch.rand((), generator=self._random, dtype=torch.float64)

    def list_points(self, start: int, count: int) -> Tensor:
        """`count` of these numbers, the first `start` skipped, float64 [count]. `point` is not affected."""
        random = torch.Generator().manual_seed(self._seed)
        return torch.rand(start + count, generator=random, dtype=torch.float64)[start:]


class Past:
    """The ids `seen` in prompt or answer, bool [vocabulary], and their `counts` in the answer, float [vocabulary]."""

    def __init__(
        self, prompt: Sequence[int], vocabulary: int, device: torch.device, generated: Sequence[int] = ()
    ) -> None:
        ids = send(torch.tensor(prompt, dtype=torch.long), device)
        self.seen = torch.zeros(vocabulary, dtype=torch.bool, device=device).index_fill_(0, ids, True)
        self.counts = torch.zeros(vocabulary, device=device)
        self.add(send(torch.tensor(generated, dtype=torch.long), device))

    def add(self, ids: Tensor) -> None:
        self.seen.index_fill_(0, ids, True)
        self.counts.index_add_(0, ids, self.counts.new_ones(len(ids)))


class Group:
    """Requests that need the same operations, each with its own parameters."""

    def __init__(self, samplers: Sequence[Sampler], device: torch.device) -> None:
        samplings = [sampler.sampling for sampler in samplers]
        self.top_n = samplers[0].top_n
        self._samplers = samplers
        self._features = samplers[0].features
        self._looks_back = bool(self._features & Feature.PENALTIES)
        self._parameters = split_columns(stack_parameters(samplings, device))
        self._most = max(each.top_k or 1 for each in samplings)
        # A CPU checks without waiting whether these suffice, and takes dozens of times as long to rank all.
        self._first = RANKED_FIRST if device.type == "cpu" else sys.maxsize
        self._scratch: Tensor | None = None

    def draw(self, logits: Tensor) -> Tensor:
        """The report of sampling from logits [rows, vocabulary]: see `make_report`."""
        pasts = [each.recall(logits.shape[-1], logits.device) for each in self._samplers] if self._looks_back else []
        if pasts:
            seen, counts = torch.stack([past.seen for past in pasts]), torch.stack([past.counts for past in pasts])
            logits = apply_penalties(logits, seen, counts, self._parameters, self._features)
        logits = process_logits(logits, self._parameters, self._features, self._most, self._first)
        logprobs = logits.log_softmax(dim=-1)
        ids = self._draw_ids(logprobs) if Feature.DRAW in self._features else find_likeliest(logprobs)
        for past, id in zip(pasts, ids, strict=False):
            past.add(id)
        return make_report(logprobs, ids, self.top_n)

    def _draw_ids(self, logprobs: Tensor) -> Tensor:
        # The scratch is reused: on a CPU, new memory takes longer than the sum itself.
        if self._scratch is None:
            self._scratch = torch.empty_like(logprobs, dtype=torch.float64)
        points = torch.stack([sampler.point() for sampler in self._samplers])
        return draw_ids(logprobs, send(points[:, None], logprobs.device), self._scratch)


def find_likeliest(logprobs: Tensor) -> Tensor:
    """Ids [rows, 1]; of equal logits, the first."""
    return logprobs.max(dim=-1, keepdim=True).indices


def draw_ids(logprobs: Tensor, points: Tensor, scratch: Tensor) -> Tensor:
    """Ids [rows, 1] drawn by `points` float64 [rows, 1] from 0 to 1; `scratch` is float64 and shaped as `logprobs`."""
    # Inverse transform sampling: the same draw on every device.
    cumulative = scratch.copy_(logprobs.exp()).cumsum_(dim=-1)
    reached = torch.searchsorted(cumulative, points * cumulative[:, -1:], right=True)
    return reached.clamp(max=logprobs.shape[-1] - 1)


def make_report(logprobs: Tensor, ids: Tensor, top_n: int) -> Tensor:
    """[rows, 2 + 2 top n]: id and log-probability, then the ids of the likeliest and their log-probabilities."""
    parts = [ids, logprobs.gather(-1, ids)]
    if top_n:
        likeliest = logprobs.topk(top_n)
        parts += [likeliest.indices, likeliest.values]
    # Float64 holds ids and log-probabilities exactly, so that one copy is enough.
    return torch.cat([part.double() for part in parts], dim=-1)


def read_outcome(numbers: Sequence[float]) -> Outcome:
    """The token in a row of a report, or the error of its sampling."""
    id, logprob, *top = numbers
    if logprob != logprob:
        return ValueError("the model's logits are not numbers (NaN)")
    half = len(top) // 2
    ranked = zip(map(int, top[:half]), top[half:], strict=True)
    return SampledToken(int(id), logprob, tuple((id, logprob) for id, logprob in ranked if logprob > REMOVED))


class SamplerOutput:
    """Sampled tokens, on their way from the device; `parse` turns the report on the CPU into an outcome per row.

    The copy of the report waits for earlier operations of the device only.
    """

    def __init__(self, report: Tensor, parse: Callable[[Tensor], list[Outcome]]) -> None:
        self._parse = parse
        self._copied: torch.cuda.Event | None = None
        if report.device.type != "cuda":
            self._report = report.cpu()
            return
        self._report = torch.empty(report.shape, dtype=report.dtype, pin_memory=True).copy_(report, non_blocking=True)
        self._copied = torch.cuda.Event()
        self._copied.record(torch.cuda.current_stream(report.device))

    def wait(self) -> None:
        """Return when they have been sampled. Raises the step's error."""
        if self._copied is not None:
            self._copied.synchronize()

    def read(self) -> list[Outcome]:
        """The token of every row, or the error of its sampling."""
        self.wait()
        return self._parse(self._report)


class BatchSampler:
    """Samples the next tokens of requests that are decoded together, in the order of `samplers`."""

    def __init__(self, samplers: Sequence[Sampler], device: torch.device) -> None:
        kinds: dict[tuple[Feature, int], list[int]] = {}
        for row, sampler in enumerate(samplers):
            kinds.setdefault((sampler.features, sampler.top_n), []).append(row)
        self._groups = [(Group([samplers[row] for row in rows], device), rows) for rows in kinds.values()]
        self._indices = [send(torch.tensor(rows), device) for rows in kinds.values()]

    def draw(self, logits: Tensor) -> SamplerOutput:
        """Start to sample a token for each row of `logits` [rows, vocabulary]."""
        logits = logits.float()
        if len(self._groups) == 1:
            return SamplerOutput(self._groups[0][0].draw(logits).flatten(), self._parse)
        groups = zip(self._groups, self._indices, strict=True)
        reports = [group.draw(logits[index]).flatten() for (group, _), index in groups]
        return SamplerOutput(torch.cat(reports), self._parse)

    def _parse(self, report: Tensor) -> list[Outcome]:
        numbers, outcomes = iter(report.tolist()), dict[int, Outcome]()
        for group, rows in self._groups:
            for row in rows:
                outcomes[row] = read_outcome(list(islice(numbers, 2 + 2 * group.top_n)))
        return [outcomes[row] for row in range(len(outcomes))]
