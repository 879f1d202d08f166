"""Sampling by slot, captured: what requests ask for lies in static tensors, so that a step runs no Python per row.

Same sampling, seed and logits give the tokens that `BatchSampler` gives.
"""

import operator
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Final

import torch
from torch import Tensor

from demo.bounds import TOP_N
from demo.engines.local.async_copy import DeviceToHostCopy, send
from demo.engines.local.logits_processors import apply_penalties, process_logits
from demo.engines.local.runners.transformers.cuda_graphs.capture import Capturer
from demo.engines.local.runners.transformers.cuda_graphs.decode import Step
from demo.engines.local.sampler import Outcome, Past, Sampler, draw_ids, find_likeliest, make_report, read_outcome
from demo.engines.local.sampling_parameters import Feature, SamplingParameters, stack_parameters
from demo.events import Sampling

# What is captured, from the cheapest on: a step takes the first that holds all that its rows take.
KINDS: Final = (
    Feature.NONE,
    Feature.DRAW | Feature.TEMPERATURE,
    Feature.DRAW | Feature.TEMPERATURE | Feature.TOP_P,
    Feature.DRAW | Feature.TEMPERATURE | Feature.TOP_K | Feature.TOP_P,
    ~Feature.NONE,
)


@dataclass(frozen=True, slots=True)
class Selection:
    """Slots that are sampled together, the lowest ones up to `rows` with them; `index` is `slots` on the device."""

    slots: tuple[int, ...]
    samplers: tuple[Sampler, ...]
    rows: int
    kind: Feature
    index: Tensor


class SlotSamplerOutput:
    """Sampled tokens, on their way from the device, in the order of the slots asked for. `ids` [slots] stay there."""

    def __init__(self, samplers: Sequence[Sampler], report: Tensor) -> None:
        self._samplers = samplers
        self._device_report = report
        self._report = DeviceToHostCopy(report)

    @property
    def ids(self) -> Tensor:
        """The tokens, on the device."""
        return self._device_report[:, 0].long()

    def wait(self) -> None:
        """Return when they have been sampled."""
        self._report.wait()

    def read(self) -> list[Outcome]:
        """The token of every slot, or what went wrong in sampling it."""
        rows = self._report.read().tolist()
        return [_read_row(row, sampler.top_n) for row, sampler in zip(rows, self._samplers, strict=True)]


class SlotSampler:
    """Samples from the logits of a `step` for the slots of its cache."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._cache = step.cache
        slots, vocabulary = step.logits.shape
        device = step.logits.device
        self._numbers = stack_parameters([Sampling()] * slots, device).numbers
        self._points = torch.zeros((slots, self._cache.columns), dtype=torch.float64, device=device)
        self._drawn = torch.zeros((slots, 1), dtype=torch.long, device=device)  # of the points
        self._seen = torch.zeros((slots, vocabulary), dtype=torch.bool, device=device)
        self._counts = torch.zeros((slots, vocabulary), device=device)
        self._samplers: dict[int, Sampler] = {}
        self._selection: Selection | None = None
        self._captured: dict[tuple[int, Feature], Callable[[], Tensor]] = {}

    def capture(self, capturer: Capturer, rows: Sequence[int]) -> Iterator[int]:
        """Capture it for so many slots; names each number before it is captured."""
        for count in sorted({min(count, self._cache.slots) for count in rows}, reverse=True):
            yield count
            for kind in KINDS:
                self._captured[count, kind] = capturer.capture(self._bind(count, kind))

    def join(self, slot: int, sampler: Sampler, generated: Sequence[int] = ()) -> None:
        """Sample for a slot as `sampler` asks, of whose answer the tokens `generated` are known already."""
        device = self._numbers.device
        self._samplers[slot], self._selection = sampler, None
        self._numbers[slot] = stack_parameters([sampler.sampling], device).numbers[0]
        self._points[slot] = send(sampler.list_points(len(generated), self._points.shape[1]), device)
        self._drawn[slot] = 0
        if sampler.features & Feature.PENALTIES:
            past = Past(sampler.prompt, self._seen.shape[1], device, generated)
            self._seen[slot], self._counts[slot] = past.seen, past.counts

    def has(self, slot: int) -> bool:
        """Whether a slot has joined."""
        return slot in self._samplers

    def leave(self, slot: int) -> None:
        """Free a slot."""
        self._samplers.pop(slot, None)
        self._selection = None

    def draw(self, slots: Sequence[int]) -> SlotSamplerOutput:
        """Start to sample a token for each of `slots` from the step's logits; the slots are fed with it."""
        chosen = self._select(tuple(slots))
        self._cache.choose(frozenset(slots))
        report = self._find(chosen.rows, chosen.kind)()
        return SlotSamplerOutput(chosen.samplers, report.index_select(0, chosen.index))

    def clear(self) -> None:
        """Free all slots."""
        self._samplers = {}
        self._selection = None

    def _select(self, slots: tuple[int, ...]) -> Selection:
        if self._selection is None or self._selection.slots != slots:
            samplers = tuple(self._samplers[slot] for slot in slots)
            features = reduce(operator.or_, (sampler.features for sampler in samplers))
            kind = next(kind for kind in KINDS if features in kind)
            index = send(torch.tensor(slots), self._numbers.device)
            self._selection = Selection(slots, samplers, max(slots) + 1, kind, index)
        return self._selection

    def _find(self, rows: int, kind: Feature) -> Callable[[], Tensor]:
        fitting = [count for count, captured in self._captured if count >= rows and captured == kind]
        return self._captured[min(fitting), kind] if fitting else self._bind(rows, kind)

    def _bind(self, rows: int, kind: Feature) -> Callable[[], Tensor]:
        state, top_n = self._cache.state, int(TOP_N.high) if Feature.ALTERNATIVES in kind else 0

        def compute() -> Tensor:
            state.narrow(rows, self._cache.columns)
            logprobs = self._process(rows, kind).log_softmax(dim=-1)
            ids = find_likeliest(logprobs)
            if Feature.DRAW in kind:
                points = self._points[:rows].gather(-1, self._drawn[:rows])
                drawn = draw_ids(logprobs, points, torch.empty_like(logprobs, dtype=torch.float64))
                ids = torch.where(SamplingParameters(self._numbers[:rows]).is_random, drawn, ids)
            self._remember(ids, kind)
            return make_report(logprobs, ids, top_n)

        return compute

    def _process(self, rows: int, kind: Feature) -> Tensor:
        parameters = SamplingParameters(self._numbers[:rows])
        logits = self._step.logits[:rows]
        if kind & Feature.PENALTIES:
            logits = apply_penalties(logits, self._seen[:rows], self._counts[:rows], parameters, kind)
        return process_logits(logits, parameters, kind, sys.maxsize, sys.maxsize)

    def _remember(self, ids: Tensor, kind: Feature) -> None:
        """Feed the chosen slots with their `ids` [rows, 1], and count them."""
        state, rows = self._cache.state, len(ids)
        chosen = state.chosen[:, None]
        state.ids.copy_(torch.where(chosen > 0, ids, state.ids[:, None])[:, 0])
        self._drawn[:rows] += chosen
        if kind & Feature.PENALTIES:
            self._counts[:rows].scatter_add_(-1, ids, chosen.float())
            seen = self._seen[:rows]
            seen.scatter_(-1, ids, seen.gather(-1, ids) | (chosen > 0))


def _read_row(numbers: Sequence[float], top_n: int) -> Outcome:
    """The outcome for a slot that asks for `top_n` alternatives, of which the report may tell more."""
    alternatives = (len(numbers) - 2) // 2
    return read_outcome([*numbers[: 2 + top_n], *numbers[2 + alternatives :][:top_n]])
