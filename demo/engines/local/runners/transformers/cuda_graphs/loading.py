"""Whether a model's step can be captured on its device, and if so, the rows to do it with, recorded beforehand."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.cache_utils import get_layer_types_and_kwargs

from demo.engines.local.batch import Batch
from demo.engines.local.runners.transformers.cuda_graphs.capture import GraphCapturer
from demo.engines.local.runners.transformers.cuda_graphs.decode import Step, list_sizes
from demo.engines.local.runners.transformers.cuda_graphs.prefill import LENGTHS, PromptReader
from demo.engines.local.runners.transformers.cuda_graphs.runner import CapturedBatch
from demo.engines.local.runners.transformers.cuda_graphs.static_kv import StaticCache
from demo.engines.local.runners.transformers.eager import SharedBatch
from demo.engines.local.runners.transformers.forward import Forward
from demo.engines.local.runners.transformers.padded_kv import RowsCache, RowsLayer
from demo.events import Loading

SHARE = 0.75  # of the device's free memory for rows; the rest is for reading prompts
NEARNESS = 0.1  # by how much of their size logits may differ from the general path's: bfloat16 rounds to 0.4 %
WINDOWED_LAYERS = ("sliding_attention", "chunked_attention")
PROBES = ((1, 2, 3, 4, 5), (6, 7))


@dataclass(frozen=True, slots=True)
class Plan:
    """For how many rows of how many tokens there should be room, and which numbers of rows are worth recording.

    `backend` of torch.compile fuses what is recorded; None records it as it is.
    """

    rows: int
    columns: int
    recorded: Sequence[int]
    backend: str | None = None


class CannotCapture(Exception):
    """Why this model keeps to the general path."""


def find_unsupported_reason(network: PreTrainedModel, columns: int) -> str:
    """What in a model's make-up stands in the way of a static cache of `columns` tokens; empty where nothing."""
    if len(set(getattr(network, "hf_device_map", {}).values())) > 1:
        return "the model is spread over several devices"
    layers = zip(*get_layer_types_and_kwargs(network.config.get_text_config(decoder=True)), strict=True)
    # A window that no sequence outgrows never slides.
    types = {type for type, options in layers if type not in WINDOWED_LAYERS or options["sliding_window"] < columns}
    if other := sorted(types - {"full_attention"}):
        return f"the model has layers of type {', '.join(other)}"
    if not Forward(network).takes_positions:
        return "the model takes no positions"
    if network.config._attn_implementation not in ("sdpa", "eager"):
        return f"the model's attention is {network.config._attn_implementation}"
    return ""


@torch.inference_mode()
def capture(network: PreTrainedModel, plan: Plan, report: Callable[[Loading], None]) -> Callable[[], Batch]:
    """What makes an empty batch over one static cache. Raises CannotCapture: why this model can't have one."""
    if obstacle := find_unsupported_reason(network, plan.columns):
        raise CannotCapture(obstacle)
    reader = PromptReader(network)
    like = _read(reader.forward, PROBES[0]).filled()
    rows = _fit(plan, like, network.device)
    try:
        report(Loading("compiling the step" if plan.backend else "trying the step"))
        step = Step(network, StaticCache(rows, plan.columns, like), plan.backend)
        _check(reader, step)
        _record(reader, step, plan, report)
        _check(reader, step)
    except Exception as error:
        # Models differ in how they refuse an unusual cache or mask, and torch in how it refuses to record.
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CannotCapture(f"its step can't be captured ({reason})") from error
    return torch.inference_mode()(lambda: CapturedBatch(reader, step))


def _record(reader: PromptReader, step: Step, plan: Plan, report: Callable[[Loading], None]) -> None:
    recorder = GraphCapturer(step.cache.window.positions.device)
    total = len(list_sizes(plan.recorded, step.cache))
    for done, (rows, columns) in enumerate(step.record(recorder, plan.recorded), start=1):
        report(Loading(f"capturing the step for {rows} rows of {columns} tokens, {done} of {total}"))
    for length in reader.record(recorder, [length for length in LENGTHS if length <= plan.columns]):
        report(Loading(f"capturing the reading of prompts of up to {length} tokens"))


def _check(reader: PromptReader, step: Step) -> None:
    """Raise RuntimeError where a step doesn't give what the general path gives."""
    prompts = PROBES[: step.cache.room]
    expected = _probe(SharedBatch(reader.forward), prompts)
    found = _probe(CapturedBatch(reader, step), prompts)
    if not _size(found - expected) <= NEARNESS * _size(expected):
        raise RuntimeError("it gives other logits than the model's own cache")
    step.cache.clear()


def _probe(batch: Batch, prompts: Sequence[Sequence[int]]) -> Tensor:
    """The logits of two steps after some prompts."""
    for prompt in prompts:
        prefill = batch.begin(prompt)
        prefill.read(len(prompt))
        batch.join(prefill)
    return torch.stack([batch.step([id] * len(prompts)).float() for id in (8, 9)])


def _fit(plan: Plan, like: Sequence[RowsLayer], device: torch.device) -> int:
    """How many rows to make room for: as many as planned, or as there is memory for."""
    if device.type != "cuda":
        return plan.rows
    free, _ = torch.cuda.mem_get_info(device)
    rows = min(plan.rows, int(free * SHARE) // (_count_bytes(like) * plan.columns))
    if rows == 0:
        raise CannotCapture(f"there is no memory for a row of {plan.columns} tokens")
    return rows


def _count_bytes(layers: Sequence[RowsLayer]) -> int:
    """What one token takes."""
    return sum(
        each.shape[1] * each.shape[3] * each.element_size() for layer in layers for each in (layer.keys, layer.values)
    )


def _read(forward: Forward, prompt: Sequence[int]) -> RowsCache:
    cache = RowsCache()
    forward(torch.tensor([list(prompt)]), cache, [0])
    return cache


def _size(values: Tensor) -> float:
    return float(values.square().mean().sqrt())
