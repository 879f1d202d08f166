"""Loads config, tokenizer and weights with transformers. Raises ModelError: one sentence with the remedy."""

import logging
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_MASKED_LM_MAPPING,
    MODEL_FOR_MULTIMODAL_LM_MAPPING,
)
from transformers.utils import logging as transformers_logging

from demo.choice import Choice
from demo.engines.local.chat_template import DEFAULT, choose_template
from demo.engines.local.loading.device import device_map
from demo.engines.local.loading.end_tokens import find_end_ids, flatten_ids
from demo.engines.local.loading.free_memory import check_fits
from demo.engines.local.loading.load_errors import explained
from demo.engines.local.loading.loaded import Loaded
from demo.engines.local.loading.source import ModelSource
from demo.engines.local.loading.weight_files import count_weight_bytes
from demo.engines.local.runners.transformers.eager import make_runner
from demo.engines.local.runners.transformers.tokenizer import Pretrained
from demo.errors import ModelError

logger = logging.getLogger(__name__)

transformers_logging.disable_progress_bar()
transformers_logging.set_verbosity_error()  # the warnings that matter are raised here as errors


def load_transformers(source: ModelSource, place: str, device: str, dtype: torch.dtype) -> Loaded:
    """A transformers model. Raises ModelError: one sentence with the remedy."""
    tokenizer = load_tokenizer(source, place)
    network = load_network(source, place, device, dtype)
    if len(places := set(getattr(network, "hf_device_map", {}).values())) > 1:
        logger.info("%s", Choice("devices", sorted(map(str, places)), "one is too small for the model"))
    return wrap_network(network, tokenizer, source.commit)


def wrap_network(network: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, revision: str | None = None) -> Loaded:
    """A transformers network with its tokenizer, as a loaded model; `revision` is its commit on the hub."""
    wrapped = Pretrained(tokenizer)
    text_config = network.config.get_text_config(decoder=True)
    ends = list_configured_ends(text_config, network.generation_config)
    return Loaded(
        tokenizer=wrapped,
        make_runner=lambda memory: make_runner(network, memory),
        eos_ids=find_end_ids(wrapped, ends, text_config.vocab_size),
        context=getattr(text_config, "max_position_embeddings", None),
        device=str(network.device),
        dtype=str(network.dtype).removeprefix("torch."),
        revision=revision,
        network=network,
    )


def list_configured_ends(*configs: PreTrainedConfig | GenerationConfig | None) -> list[int]:
    """The end ids that a model's configs name."""
    return flatten_ids(getattr(config, "eos_token_id", None) for config in configs)


def load_tokenizer(source: ModelSource, place: str) -> PreTrainedTokenizerBase:
    """The tokenizer of a model. Raises ModelError unless the model is causal and has the chat template it needs."""
    with explained(source):
        config = AutoConfig.from_pretrained(place)
    # transformers would load an encoder such as BERT as a causal model too, with nonsense for answers.
    encodes = type(config) in MODEL_FOR_MASKED_LM_MAPPING and not getattr(config, "is_decoder", False)
    if type(config) in MODEL_FOR_MULTIMODAL_LM_MAPPING and type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        raise ModelError(
            f"{source.model_id} is a {config.model_type} model, which needs images or sound beside its text: give a "
            "causal language model of text."
        )
    if type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING or encodes:
        raise ModelError(
            f"{source.model_id} is a {config.model_type} model, which does not generate text token by token: "
            "give a causal language model."
        )
    with explained(source):
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(place)
    templates: str | dict[str, str] | None = tokenizer.chat_template
    by_name = {DEFAULT: templates} if isinstance(templates, str) else templates or {}
    tokenizer.chat_template = source.template or choose_template(source.model_id, by_name, source.needs_template)
    return tokenizer


def load_network(source: ModelSource, place: str, device: str | None, dtype: torch.dtype) -> PreTrainedModel:
    """The network on its device, in evaluation mode; without a device on the CPU, where accelerate has no part in it.

    Raises ModelError where it can't be loaded or does not fit.
    """
    with explained(source):
        size = count_weight_bytes(Path(place), dtype)
    check_fits(source.model_id, size, str(dtype).removeprefix("torch."), device or "cpu")
    with explained(source):
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            place,
            dtype=dtype,
            device_map=None if device is None else device_map(device),
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    network: PreTrainedModel = loaded[0]
    check_complete(source.model_id, loaded[1])
    network.eval()
    return network


def check_complete(name: str, report: dict[str, Any]) -> None:
    """Raise ModelError where transformers' loading info, `report`, names weights that it has filled at random."""
    absent = sorted(report["missing_keys"]) + sorted(str(key[0]) for key in report["mismatched_keys"])
    if absent:
        raise ModelError(
            f"{name} lacks {len(absent)} of the weights that its configuration asks for, {absent[0]} first: "
            "download it again, or give another model."
        )
