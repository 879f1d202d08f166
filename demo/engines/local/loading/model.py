"""How a model is loaded from its source: on its device, within the limits of settings, context and memory."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import torch

from demo.choice import Choice
from demo.embedded import find_embedded
from demo.engine import Loading, ModelCard
from demo.engines.local.chat_template import check_template, choose_template, list_gguf_templates
from demo.engines.local.detokenizer import spell_tokens
from demo.engines.local.literal_text import LiteralText
from demo.engines.local.loading.device import choose_device, choose_dtype, choose_threads
from demo.engines.local.loading.free_memory import KVMemory, choose_kv_memory, return_freed
from demo.engines.local.loading.loaded import Loaded
from demo.engines.local.loading.source import ModelSource, choose_source
from demo.engines.local.model import Model
from demo.engines.local.output import Vocabulary
from demo.engines.local.reasoning_start import find_reasoning_format
from demo.engines.local.runner import Chunk, Runner
from demo.engines.local.runners.cpu_llama.loading import load_llama
from demo.engines.local.runners.cpu_llama.weights.checkpoint import Checkpoint, can_round
from demo.engines.local.runners.cpu_llama.weights.gguf import GgufFile
from demo.engines.local.runners.cpu_llama.weights.rounding import ROUNDINGS, Rounding
from demo.engines.local.runners.cpu_llama.weights.unsupported import open_checkpoint
from demo.errors import SettingError
from demo.settings import DEFAULT_MAX_TOTAL_TOKENS, KERNEL_DTYPES, Settings

logger = logging.getLogger(__name__)

WARM_UP_SECONDS = 0.1  # at 300 tokens/s thirty steps

T = TypeVar("T")


def load_model(settings: Settings, report: Callable[[Loading], None]) -> Model:
    """The model that the settings name, warmed up. Logs every choice with its reason.

    Raises ModelError or SettingError: one sentence with the remedy.
    """
    torch.set_num_threads(_announce(choose_threads(settings)))
    device = _announce(choose_device(settings))
    source = choose_source(settings, device, find_embedded())
    _announce(Choice("model", source.model_id, source.reason))
    report(Loading(f"loading {source.model_id}"))
    if source.kind == "hub":
        # Imported here, since it imports the hub's client, which takes a second: a GGUF file does without.
        from demo.engines.local.loading.hub import fetch

        source = fetch(source, settings.revision)
    checkpoint, reason = _open_stored(source, settings, device)
    roundable = checkpoint is not None and can_round(checkpoint)
    dtype = _announce(choose_dtype(settings, device, reason, roundable))
    if checkpoint is not None and dtype in KERNEL_DTYPES:
        loaded = _load_with_kernels(source, checkpoint, ROUNDINGS.get(dtype))
    else:
        loaded = _load_with_transformers(source, settings, device, dtype, report)
    model = build_model(loaded, source, settings, report)
    return_freed()
    report(Loading("warming up"))
    rate = _measure_rate(model)
    check_template(source.model_id, model.tokenizer)
    return_freed()
    return replace(model, card=replace(model.card, rate=rate))


def _open_stored(source: ModelSource, settings: Settings, device: str) -> tuple[Checkpoint | None, str]:
    """The model for the CPU kernels; or None, and why it is not for them."""
    if device != "cpu" or settings.dtype not in ("auto", *KERNEL_DTYPES):
        return None, f"that is for a CPU, not for {device}"
    return open_checkpoint(Path(source.place))


def _load_with_kernels(source: ModelSource, checkpoint: Checkpoint, rounding: Rounding | None) -> Loaded:
    if isinstance(checkpoint, GgufFile):
        _require_template(source, checkpoint.metadata)
    loaded = load_llama(source, checkpoint, rounding)
    torch.set_num_threads(1)  # the kernels have their own threads: torch's would spin beside them
    return loaded


def _load_with_transformers(
    source: ModelSource, settings: Settings, device: str, dtype: str, report: Callable[[Loading], None]
) -> Loaded:
    from demo.engines.local.loading.conversion import convert_once, read_gguf
    from demo.engines.local.runners.transformers.loading import load_transformers

    place = source.place
    if source.kind in ("embedded", "gguf"):
        _require_template(source, read_gguf(Path(place)).metadata)
        place = str(convert_once(Path(place), lambda step: report(Loading(f"{source.model_id}: {step}"))))
    return load_transformers(source, place, device, getattr(torch, dtype))


def _require_template(source: ModelSource, metadata: Mapping[str, Any]) -> None:
    """Raise ModelError where a GGUF file lacks the chat template it needs."""
    if source.template is None:
        choose_template(source.model_id, list_gguf_templates(metadata), source.needs_template)


def build_model(
    loaded: Loaded, source: ModelSource, settings: Settings, report: Callable[[Loading], None] = lambda loading: None
) -> Model:
    """A model of what was loaded, within the limits of settings, context and memory. Raises SettingError."""
    max_total = _choose_max_total_tokens(settings, loaded.context)
    memory = KVMemory(_announce(choose_kv_memory(settings, loaded.device)), not settings.no_prefix_cache)
    runner = _capture(loaded, settings, max_total, memory, report) or loaded.make_runner(memory)
    max_total = _fit_into_memory(settings, max_total, runner)
    max_input = settings.max_input_tokens or max_total - 1
    if max_input >= max_total:
        raise SettingError(f"--max-input-tokens is {max_input}: it must be less than {max_total}, the total possible.")
    tokenizer = LiteralText(loaded.tokenizer) if settings.no_special_tokens_in_text else loaded.tokenizer
    card = ModelCard(
        model_id=source.model_id,
        revision=loaded.revision,
        source=source.kind,
        device=loaded.device,
        dtype=loaded.dtype,
        max_input_tokens=max_input,
        max_total_tokens=max_total,
        max_new_tokens=settings.max_new_tokens,
        plain_prompts=settings.plain_prompts,
        control_tokens=frozenset() if settings.no_special_tokens_in_text else tokenizer.control_tokens,
        has_chat_template=tokenizer.chat_template is not None,
    )
    ends = loaded.eos_ids if tokenizer.eos_id is None else loaded.eos_ids | {tokenizer.eos_id}
    vocabulary = Vocabulary(
        decode=lambda ids: tokenizer.decode(ids, special=False),
        spell=spell_tokens(tokenizer.decode, tokenizer.token),
        special_ids=tokenizer.special_ids | ends,
        eos_ids=ends,
        control_tokens=tokenizer.control_tokens,
        reasoning=find_reasoning_format(tokenizer.chat_template),
    )
    return Model(tokenizer, card, vocabulary, runner)


def _capture(
    loaded: Loaded, settings: Settings, max_total: int, memory: KVMemory, report: Callable[[Loading], None]
) -> Runner | None:
    """A runner with CUDA graphs; None without a GPU or where the settings or the model exclude it."""
    if loaded.network is None or not loaded.device.startswith("cuda") or not settings.cuda_graphs:
        return None
    from demo.engines.local.runners.transformers.cuda_graphs.loading import CannotCapture, Plan, capture

    backend = "inductor" if settings.torch_compile else None
    plan = Plan(settings.max_concurrent_requests, max_total, settings.cuda_graphs, backend, memory.bytes)
    try:
        runner = capture(loaded.network, plan, report, memory.keeps_prefixes)
    except CannotCapture as error:
        _announce(Choice("cuda_graphs", 0, str(error)))
        return None
    _announce(Choice("rows", runner.limits.max_num_seqs, f"room for {max_total} tokens in each, on the GPU"))
    return runner


def _announce(choice: Choice[T]) -> T:
    logger.info("%s", choice)
    return choice.value


def _choose_max_total_tokens(settings: Settings, context: int | None) -> int:
    if settings.max_total_tokens is None:
        chosen = min(context or DEFAULT_MAX_TOTAL_TOKENS, DEFAULT_MAX_TOTAL_TOKENS)
        return _announce(Choice("max_total_tokens", chosen, f"the model's context is {context or 'not limited'}"))
    if context is not None and settings.max_total_tokens > context:
        raise SettingError(
            f"--max-total-tokens is {settings.max_total_tokens}: this model takes at most {context} tokens."
        )
    return settings.max_total_tokens


def _fit_into_memory(settings: Settings, max_total: int, runner: Runner) -> int:
    """The smaller of `max_total` and the KV cache's capacity. Raises SettingError where more tokens are set."""
    capacity = runner.limits.capacity
    if capacity is None or max_total <= capacity:
        return max_total
    if settings.max_total_tokens is not None or capacity < 2:
        raise SettingError(
            f"--max-total-tokens is {max_total}, and the memory for keys and values holds {capacity} tokens: "
            "raise --kv-cache-memory, or lower it."
        )
    return _announce(Choice("max_total_tokens", capacity, "what --kv-cache-memory holds"))


@torch.inference_mode()
def _measure_rate(model: Model) -> float | None:
    """Decode tokens/s of one sequence; None where the model takes too few tokens.

    The first step is left out: it sets up kernels and libraries, which thus delays no request.
    """
    runner, prompt = model.runner, model.encode("warm up")
    handle = runner.allocate(prompt, None, reuse=False)
    assert handle is not None, "there is no other sequence"
    ids, times = prompt, list[float]()
    while not times or (times[-1] - times[0] < WARM_UP_SECONDS and handle.length + 1 < model.card.max_total_tokens):
        assert runner.reserve(handle, handle.length + len(ids))
        ids = [int(runner.execute([Chunk(handle, ids)])[0].argmax())]
        times.append(time.perf_counter())
    runner.free(handle, ())
    gaps = [later - earlier for earlier, later in pairwise(times)]
    return 1 / median(gaps) if gaps else None
