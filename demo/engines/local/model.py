"""The model that answers: its network, tokenizer and limits, loaded from wherever its source says."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TypeVar

import torch
from jinja2 import TemplateError

from demo.embedded import find_embedded
from demo.engines.local.loading.device import choose_device, choose_dtype, choose_threads
from demo.engines.local.loading.kv_memory import KVMemory, choose_kv_memory
from demo.engines.local.loading.loaded import Loaded
from demo.engines.local.loading.memory import release_memory
from demo.engines.local.loading.source import ModelSource, choose_source
from demo.engines.local.output import Vocabulary
from demo.engines.local.runner import Chunk, Runner
from demo.engines.local.runners.cpu_llama.loading import load_llama
from demo.engines.local.runners.cpu_llama.weights.unsupported import find_unsupported_reason
from demo.engines.local.tokenizer import Tokenizer
from demo.errors import BadRequest, SettingError, TemplateRefused
from demo.events import Loading, Message, ModelCard, Piece, Prompt
from demo.settings import STORED, Choice, Settings

logger = logging.getLogger(__name__)

DEFAULT_MAX_TOTAL_TOKENS = 4096
WARM_UP_SECONDS = 0.1  # and the step at which they are over: at 300 tokens/s some thirty

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Model:
    """A loaded model: what the engine's thread works with."""

    tokenizer: Tokenizer
    card: ModelCard
    vocabulary: Vocabulary
    runner: Runner
    _encoding: threading.Lock = field(default_factory=threading.Lock)

    def encode(self, prompt: Prompt, truncate: int | None = None) -> list[int]:
        """Token ids of raw text, or of a conversation in the model's chat template. From any thread.

        At most `truncate`: a text's last, or a conversation whose last message has lost its beginning.
        Raises TemplateRefused where the template has no place for such a conversation, BadRequest where `truncate`
        has no place for the template.
        """
        with self._encoding:
            ids = self._encode(prompt)
            if truncate is None or len(ids) <= truncate:
                return ids
            return ids[-truncate:] if isinstance(prompt, str) else self._encode_end(prompt, len(ids), truncate)

    def _encode(self, prompt: Prompt) -> list[int]:
        return self.tokenizer.encode(self._apply_chat_template(prompt), raw=isinstance(prompt, str))

    def _encode_end(self, turns: tuple[Message, ...], length: int, truncate: int) -> list[int]:
        """A conversation of `length` tokens, its last message without its beginning, as long as `truncate` allows."""
        *before, last = turns
        pieces = self.tokenizer.locate(last.content, raw=False)
        while pieces := pieces[length - truncate :]:  # again where what is left is split into more tokens
            ids = self._encode((*before, replace(last, content=last.content[pieces[0].start :])))
            if (length := len(ids)) <= truncate:
                return ids
        template = len(self._encode((*before, replace(last, content=""))))
        raise BadRequest(
            f"truncate is {truncate}, and the model's chat template alone takes {template} tokens: allow more, or have "
            "the text read `raw`."
        )

    def tokenize(self, prompt: Prompt) -> tuple[str, tuple[Piece, ...]]:
        """The text that the model reads, and its tokens, each with its place in it. Raises as `encode`."""
        with self._encoding:
            text = self._apply_chat_template(prompt)
            return text, self.tokenizer.locate(text, raw=isinstance(prompt, str))

    def _apply_chat_template(self, prompt: Prompt) -> str:
        if isinstance(prompt, str):
            return prompt
        turns = [{"role": message.role, "content": message.content} for message in prompt]
        # An answer at the end is continued, not answered (TGI's chat template, vLLM's `continue_final_message`).
        begun = turns.pop()["content"] if len(turns) > 1 and turns[-1]["role"] == "assistant" else ""
        try:
            return self.tokenizer.apply_chat_template(turns) + begun
        except TemplateError as error:
            raise TemplateRefused(f"The model's chat template refuses this conversation: {error}.") from error

    def check_length(self, input_tokens: int, max_new_tokens: int | None) -> None:
        """Raise BadRequest, with the numbers, where a request is longer than the model takes."""
        card = self.card
        max_new_tokens = max_new_tokens or 1
        if input_tokens > card.max_input_tokens:
            raise BadRequest(
                f"The prompt has {input_tokens} tokens, and at most {card.max_input_tokens} are accepted: shorten it."
            )
        if input_tokens + max_new_tokens > card.max_total_tokens:
            raise BadRequest(
                f"The prompt's {input_tokens} tokens and {max_new_tokens} new ones are {input_tokens + max_new_tokens} "
                f"in all, and at most {card.max_total_tokens} are possible: ask for fewer or shorten the prompt."
            )


def load_model(settings: Settings, report: Callable[[Loading], None]) -> Model:
    """The model that the settings name, ready to answer. Announces every choice with its reason.

    Raises ModelError or SettingError: one sentence with the remedy.
    """
    torch.set_num_threads(_announce(choose_threads(settings)))
    device = _announce(choose_device(settings))
    source = choose_source(settings, device, find_embedded())
    _announce(Choice("model", source.model_id, source.reason))
    report(Loading(f"loading {source.model_id}"))
    place = _find_place(source, settings, device)
    obstacle = f"that is for a CPU, not for {device}" if place is None else find_unsupported_reason(place)
    dtype = _announce(choose_dtype(settings, device, obstacle))
    if place is not None and dtype == STORED:
        loaded = _load_stored(source, place)
    else:
        loaded = _load_general(source, settings, device, dtype, report)
    model = build_model(loaded, source, settings, report)
    report(Loading("warming up"))
    rate = _measure_rate(model)
    release_memory()
    return replace(model, card=replace(model.card, rate=rate))


def _find_place(source: ModelSource, settings: Settings, device: str) -> Path | None:
    """The file or folder to answer from as it is stored, if it may be so; None where it may not."""
    if device != "cpu" or settings.dtype not in ("auto", STORED):
        return None
    if source.kind in ("embedded", "gguf"):
        return Path(source.place)
    # Here, since it takes a second that a GGUF file does without.
    from demo.engines.local.runners.cpu_llama.weights.snapshot import find_saved

    return find_saved(source, settings.revision)


def _load_stored(source: ModelSource, place: Path) -> Loaded:
    loaded = _open_stored(source, place)
    torch.set_num_threads(1)  # the kernels have threads of their own, beside which torch's would wait and spin
    return loaded


def _open_stored(source: ModelSource, place: Path) -> Loaded:
    if source.kind in ("embedded", "gguf"):
        return load_llama(place)
    from demo.engines.local.runners.cpu_llama.weights.snapshot import load_saved

    return load_saved(source, place)


def _load_general(
    source: ModelSource,
    settings: Settings,
    device: str,
    dtype: str,
    report: Callable[[Loading], None],
) -> Loaded:
    # Here, since it takes a second that the fast path does without.
    from demo.engines.local.loading.conversion import convert_once
    from demo.engines.local.runners.transformers.loading import load_general

    revision = settings.revision if source.kind == "hub" else None
    place = source.place
    if source.kind in ("embedded", "gguf"):
        place = str(convert_once(Path(place), lambda step: report(Loading(f"{source.model_id}: {step}"))))
    return load_general(source, place, revision, device, getattr(torch, dtype))


def build_model(
    loaded: Loaded, source: ModelSource, settings: Settings, report: Callable[[Loading], None] = lambda loading: None
) -> Model:
    """A model from what was loaded."""
    max_total = _choose_max_total_tokens(settings, loaded.context)
    memory = KVMemory(_announce(choose_kv_memory(settings, loaded.device)), not settings.no_prefix_cache)
    runner = _capture(loaded, settings, max_total, memory, report) or loaded.make_runner(memory)
    max_total = _fit_into_memory(settings, max_total, runner)
    max_input = settings.max_input_tokens or max_total - 1
    if max_input >= max_total:
        raise SettingError(f"--max-input-tokens is {max_input}: it must be less than {max_total}, the total possible.")
    card = ModelCard(
        model_id=source.model_id,
        revision=loaded.revision,
        source=source.kind,
        device=loaded.device,
        dtype=loaded.dtype,
        max_input_tokens=max_input,
        max_total_tokens=max_total,
        plain_prompts=settings.plain_prompts,
        control_tokens=loaded.tokenizer.control_tokens,
    )
    return Model(loaded.tokenizer, card, _read_vocabulary(loaded), runner)


def _capture(
    loaded: Loaded, settings: Settings, max_total: int, memory: KVMemory, report: Callable[[Loading], None]
) -> Runner | None:
    """A runner whose step is captured, on a GPU and for a model that allow it; None elsewhere."""
    if loaded.network is None or not loaded.device.startswith("cuda") or not settings.cuda_graphs:
        return None
    # Here, as the general path that it builds on.
    from demo.engines.local.runners.transformers.cuda_graphs.loading import CannotCapture, Plan, capture

    backend = "inductor" if settings.torch_compile else None
    plan = Plan(settings.max_concurrent_requests, max_total, settings.cuda_graphs, backend, memory.bytes)
    try:
        runner = capture(loaded.network, plan, report, memory.keeps_prefixes)
    except CannotCapture as error:
        unsupported_reason = str(error)
    else:
        _announce(Choice("rows", runner.limits.max_num_seqs, f"room for {max_total} tokens in each, on the GPU"))
        return runner
    _announce(Choice("cuda_graphs", 0, unsupported_reason))
    return None


def _announce(choice: Choice[T]) -> T:
    logger.info("%s", choice)
    return choice.value


def _choose_max_total_tokens(settings: Settings, context: int | None) -> int:
    if settings.max_total_tokens is None:
        reason = f"the model's context is {context or 'not limited'}"
        chosen = Choice("max_total_tokens", min(context or DEFAULT_MAX_TOTAL_TOKENS, DEFAULT_MAX_TOTAL_TOKENS), reason)
        return _announce(chosen)
    if context is not None and settings.max_total_tokens > context:
        raise SettingError(
            f"--max-total-tokens is {settings.max_total_tokens}: this model takes at most {context} tokens."
        )
    return settings.max_total_tokens


def _fit_into_memory(settings: Settings, max_total: int, runner: Runner) -> int:
    """`max_total`, or as many tokens as there is memory for. Raises SettingError where more were asked for."""
    capacity = runner.limits.capacity
    if capacity is None or max_total <= capacity:
        return max_total
    if settings.max_total_tokens is not None or capacity < 2:
        raise SettingError(
            f"--max-total-tokens is {max_total}, and the memory for keys and values holds {capacity} tokens: "
            "raise --kv-cache-memory, or lower it."
        )
    return _announce(Choice("max_total_tokens", capacity, "what --kv-cache-memory holds"))


def _read_vocabulary(loaded: Loaded) -> Vocabulary:
    tokenizer = loaded.tokenizer
    ends = loaded.eos_ids if tokenizer.eos_id is None else loaded.eos_ids | {tokenizer.eos_id}
    return Vocabulary(
        decode=lambda ids: tokenizer.decode(ids, special=False),
        spell=tokenizer.decode,
        special_ids=tokenizer.special_ids | ends,
        eos_ids=ends,
    )


@torch.inference_mode()
def _measure_rate(model: Model) -> float | None:
    """Decode tokens/s of one stream, from an answer to nobody: with it the first visitor is spared the kernels' set-up.

    None where the model takes too few tokens. The first step is dropped.
    """
    runner, prompt = model.runner, model.encode("warm up")
    handle = runner.allocate(prompt, None, reuse=False)
    assert handle is not None, "nothing else holds memory yet"
    ids, times = prompt, list[float]()
    with torch.inference_mode():
        while not times or (times[-1] - times[0] < WARM_UP_SECONDS and handle.length + 1 < model.card.max_total_tokens):
            assert runner.reserve(handle, handle.length + len(ids))
            ids = [int(runner.execute([Chunk(handle, ids)])[0].argmax())]
            times.append(time.perf_counter())
    runner.free(handle, ())
    gaps = [later - earlier for earlier, later in pairwise(times)]
    return 1 / median(gaps) if gaps else None
