"""Sampling by slot, captured: parameters are in static tensors, so that a step runs no Python per row.

For the same sampling, seed and logits, the tokens are those of `BatchSampler`.
"""

import operator
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Final

import torch
from torch import Tensor

from demo.engines.local.async_copy import send
from demo.engines.local.logits_processors import (
    Feature,
    apply_penalties,
    process_logits,
    split_columns,
    stack_parameters,
)
from demo.engines.local.runners.transformers.cuda_graphs.capture import GraphCapturer
from demo.engines.local.runners.transformers.cuda_graphs.decode import Step
from demo.engines.local.sampler import (
    Outcome,
    Past,
    Sampler,
    SamplerOutput,
    draw_ids,
    find_likeliest,
    make_report,
    read_outcome,
)
from demo.request import TOP_N, Sampling

# The captured sets of operations, in the order of cost: a step takes the first that includes all that its rows need.
KINDS: Final = (
    Feature.NONE,
    Feature.DRAW | Feature.TEMPERATURE,
    Feature.DRAW | Feature.TEMPERATURE | Feature.TOP_P,
    Feature.DRAW | Feature.TEMPERATURE | Feature.TOP_K | Feature.TOP_P,
    ~Feature.NONE,
)


@dataclass(frozen=True, slots=True)
class Selection:
    """Slots to sample, within the first `rows` slots, by operations of `kind`; `index` is `slots` on the device."""

    slots: tuple[int, ...]
    samplers: tuple[Sampler, ...]
    rows: int
    kind: Feature
    index: Tensor


class SlotSampler:
    """Samples from the logits of a `step` for the slots of its cache."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._cache = step.cache
        slots, vocabulary = step.logits.shape
        device = step.logits.device
        self._numbers = stack_parameters([Sampling()] * slots, device)
        self._points = torch.zeros((slots, self._cache.columns), dtype=torch.float64, device=device)
        self._drawn = torch.zeros((slots, 1), dtype=torch.long, device=device)  # number of points that were used
        self._seen = torch.zeros((slots, vocabulary), dtype=torch.bool, device=device)
        self._counts = torch.zeros((slots, vocabulary), device=device)
        self._samplers: dict[int, Sampler] = {}
        self._selection: Selection | None = None
        self._captured: dict[tuple[int, Feature], Callable[[], Tensor]] = {}

    def capture(self, capturer: GraphCapturer, rows: Sequence[int]) -> Iterator[int]:
        """Capture it for these numbers of slots. Yields each number before it is captured."""
        for count in sorted({min(count, self._cache.slots) for count in rows}, reverse=True):
            yield count
            for kind in KINDS:
                self._captured[count, kind] = capturer.capture(self._bind(count, kind))

    def join(self, slot: int, sampler: Sampler, generated: Sequence[int] = ()) -> None:
        """Sample a slot with the state of `sampler`, after the tokens `generated` of its answer."""
        device = self._numbers.device
        self._samplers[slot], self._selection = sampler, None
        self._numbers[slot] = stack_parameters([sampler.sampling], device)[0]
        self._points[slot] = send(sampler.list_points(len(generated), self._points.shape[1]), device)
        self._drawn[slot] = 0
        if sampler.features & Feature.PENALTIES:
            past = Past(sampler.prompt, self._seen.shape[1], device, generated)
            self._seen[slot], self._counts[slot] = past.seen, past.counts

    def has(self, slot: int) -> bool:
        return slot in self._samplers

    def leave(self, slot: int) -> None:
        self._samplers.pop(slot, None)
        self._selection = None

    def draw(self, slots: Sequence[int]) -> SamplerOutput:
        """Start to sample a token for each of `slots` from the step's logits: the next step appends it to the slot."""
        chosen = self._select(tuple(slots))
        self._cache.choose(frozenset(slots))
        fitting = [rows for rows, kind in self._captured if rows >= chosen.rows and kind == chosen.kind]
        report = (self._captured[min(fitting), chosen.kind] if fitting else self._bind(chosen.rows, chosen.kind))()

        def parse(report: Tensor) -> list[Outcome]:
            """The report has all alternatives that any request may ask for."""
            most, rows = (report.shape[1] - 2) // 2, report.tolist()
            tops = [sampler.top_n for sampler in chosen.samplers]
            return [
                read_outcome([*row[: 2 + top], *row[2 + most :][:top]]) for row, top in zip(rows, tops, strict=True)
            ]

        return SamplerOutput(report.index_select(0, chosen.index), parse)

    def clear(self) -> None:
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

    def _bind(self, rows: int, kind: Feature) -> Callable[[], Tensor]:
        state, top_n = self._cache.state, int(TOP_N.high) if Feature.ALTERNATIVES in kind else 0

        def compute() -> Tensor:
            state.narrow(rows, self._cache.columns)
            parameters, logits = split_columns(self._numbers[:rows]), self._step.logits[:rows]
            if kind & Feature.PENALTIES:
                logits = apply_penalties(logits, self._seen[:rows], self._counts[:rows], parameters, kind)
            logprobs = process_logits(logits, parameters, kind, sys.maxsize, sys.maxsize).log_softmax(dim=-1)
            ids = find_likeliest(logprobs)
            if Feature.DRAW in kind:
                points = self._points[:rows].gather(-1, self._drawn[:rows])
                drawn = draw_ids(logprobs, points, torch.empty_like(logprobs, dtype=torch.float64))
                ids = torch.where(parameters.is_random != 0, drawn, ids)
            self._append(ids, kind)
            return make_report(logprobs, ids, top_n)

        return compute

    def _append(self, ids: Tensor, kind: Feature) -> None:
        """Let the next step append `ids` [rows, 1] to the chosen slots, and count them."""
        state, rows = self._cache.state, len(ids)
        chosen = state.chosen[:, None]
        state.ids.copy_(torch.where(chosen > 0, ids, state.ids[:, None])[:, 0])
        self._drawn[:rows] += chosen
        if kind & Feature.PENALTIES:
            self._counts[:rows].scatter_add_(-1, ids, chosen.float())
            seen = self._seen[:rows]
            seen.scatter_(-1, ids, seen.gather(-1, ids) | (chosen > 0))
