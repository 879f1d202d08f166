"""Captures a model's prefill, decode step and sampling, or says why they cannot be captured."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.cache_utils import get_layer_types_and_kwargs

from demo.engine import Loading
from demo.engines.local.runner import Runner
from demo.engines.local.runners.transformers.cuda_graphs.capture import GraphCapturer
from demo.engines.local.runners.transformers.cuda_graphs.decode import Step, list_sizes
from demo.engines.local.runners.transformers.cuda_graphs.grouped_attention import name_attention
from demo.engines.local.runners.transformers.cuda_graphs.prefill import LENGTHS, PromptReader
from demo.engines.local.runners.transformers.cuda_graphs.runner import CudaGraphRunner
from demo.engines.local.runners.transformers.cuda_graphs.sampling import SlotSampler
from demo.engines.local.runners.transformers.cuda_graphs.static_kv import StaticCache
from demo.engines.local.runners.transformers.forward import Forward
from demo.engines.local.runners.transformers.padded_kv import RowsCache

TOLERANCE = 0.1  # relative difference of logits from the eager ones; bfloat16 rounds to 0.4 %
WINDOWED_LAYERS = ("sliding_attention", "chunked_attention")
PROBES = ((1, 2, 3, 4, 5), (6, 7))
FOLLOWERS = (8, 9)


@dataclass(frozen=True, slots=True)
class Plan:
    """At most `rows` sequences of at most `columns` tokens; steps are `captured` for these numbers of rows.

    `backend` is torch.compile's; None does not compile. The KV cache takes at most `kv_bytes`; None sets no limit.
    """

    rows: int
    columns: int
    captured: Sequence[int]
    backend: str | None = None
    kv_bytes: int | None = None


class CannotCapture(Exception):
    """Why a model cannot be captured, in words."""


def find_unsupported_reason(network: PreTrainedModel, columns: int) -> str:
    """Why a model cannot use a static cache of `columns` tokens; empty where it can."""
    if len(set(getattr(network, "hf_device_map", {}).values())) > 1:
        return "the model is spread over several devices"
    layers = zip(*get_layer_types_and_kwargs(network.config.get_text_config(decoder=True)), strict=True)
    # A window that is at least as long as every sequence has no effect.
    types = {type for type, options in layers if type not in WINDOWED_LAYERS or options["sliding_window"] < columns}
    if other := sorted(types - {"full_attention"}):
        return f"the model has layers of type {', '.join(other)}"
    if not Forward(network).takes_positions:
        return "the model takes no positions"
    if (attention := name_attention(network)) not in ("sdpa", "eager"):
        return f"the model's attention is {attention}"
    return ""


@dataclass(frozen=True, slots=True)
class Captured:
    """The captured parts of a model: prefill of short prompts, the decode step, and sampling from its logits."""

    reader: PromptReader
    step: Step
    sampler: SlotSampler


def capture(
    network: PreTrainedModel, plan: Plan, report: Callable[[Loading], None], keeps_prefixes: bool = True
) -> Runner:
    """A runner over one static cache. Raises CannotCapture where this model can't be captured."""
    parts = capture_parts(network, plan, report, GraphCapturer(network.device))
    with torch.inference_mode():
        return CudaGraphRunner(parts.reader, parts.step, parts.sampler, keeps_prefixes)


@torch.inference_mode()
def capture_parts(
    network: PreTrainedModel, plan: Plan, report: Callable[[Loading], None], capturer: GraphCapturer
) -> Captured:
    """Capture all parts, and check their logits before and after. Raises CannotCapture."""
    if reason := find_unsupported_reason(network, plan.columns):
        raise CannotCapture(reason)
    try:
        parts = _prepare(network, plan, report)
        _check(parts)
        _capture(parts, plan, report, capturer)
        _check(parts)
    except CannotCapture:
        raise
    except Exception as error:
        # Models raise errors of many types for an unusual cache or mask, and so does torch for a capture.
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CannotCapture(f"its step can't be captured ({reason})") from error
    return parts


def _prepare(network: PreTrainedModel, plan: Plan, report: Callable[[Loading], None]) -> Captured:
    reader = PromptReader(network)
    like = _read(reader.forward, PROBES[0])
    rows = _fit(plan, like)
    report(Loading("compiling the step" if plan.backend else "trying the step"))
    step = Step(network, StaticCache(rows, plan.columns, like.filled()), plan.backend)
    return Captured(reader, step, SlotSampler(step))


def _capture(parts: Captured, plan: Plan, report: Callable[[Loading], None], capturer: GraphCapturer) -> None:
    total = len(list_sizes(plan.captured, parts.step.cache))
    for done, (rows, columns) in enumerate(parts.step.capture(capturer, plan.captured), start=1):
        report(Loading(f"capturing the step for {rows} rows of {columns} tokens, {done} of {total}"))
    for rows in parts.sampler.capture(capturer, plan.captured):
        report(Loading(f"capturing the sampling for {rows} rows"))
    for length in parts.reader.capture(capturer, [length for length in LENGTHS if length <= plan.columns]):
        report(Loading(f"capturing the reading of prompts of up to {length} tokens"))


def _check(parts: Captured) -> None:
    """Raise RuntimeError where the step's logits are not those of an eager pass with a growing cache."""
    prompts = PROBES[: parts.step.cache.slots]
    expected = torch.stack([_probe_eager(parts.reader.forward, prompt) for prompt in prompts], dim=1)
    found = _probe_captured(parts, prompts)
    if not _size(found - expected) <= TOLERANCE * _size(expected):
        raise RuntimeError("it gives other logits than the model's own cache")


def _probe_eager(forward: Forward, prompt: Sequence[int]) -> Tensor:
    """The logits [steps, vocabulary] of FOLLOWERS after a prompt."""
    cache, length = _read(forward, prompt), len(prompt)
    steps = [forward(torch.tensor([[id]]), cache, [length + place])[:, -1] for place, id in enumerate(FOLLOWERS)]
    return torch.cat(steps).float()


def _probe_captured(parts: Captured, prompts: Sequence[Sequence[int]]) -> Tensor:
    """The same logits of all prompts in one batch, [steps, prompts, vocabulary]."""
    step, cache = parts.step, parts.step.cache
    slots = [cache.join(_read(parts.reader.forward, prompt).filled(), len(prompt)) for prompt in prompts]
    ids = [torch.full((len(slots),), id, device=step.logits.device) for id in FOLLOWERS]
    # Cloned, since each step overwrites the logits of the last.
    logits = torch.stack([step(slots, each).clone() for each in ids])
    cache.clear()
    return logits


def _fit(plan: Plan, like: RowsCache) -> int:
    """The planned number of rows, or as many as `kv_bytes` can hold. Raises CannotCapture where that is none."""
    if plan.kv_bytes is None:
        return plan.rows
    rows = min(plan.rows, plan.kv_bytes // (like.count_bytes() * plan.columns))
    if rows == 0:
        raise CannotCapture(f"there is no memory for a row of {plan.columns} tokens")
    return rows


def _read(forward: Forward, prompt: Sequence[int]) -> RowsCache:
    cache = RowsCache()
    forward(torch.tensor([list(prompt)]), cache, [0])
    return cache


def _size(values: Tensor) -> float:
    return float(values.square().mean().sqrt())
