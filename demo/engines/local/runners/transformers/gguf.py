"""Loads a GGUF file with transformers. Refuses files of which transformers would ignore or invent a part."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from gguf import GGMLQuantizationType
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase
from transformers.modeling_gguf_pytorch_utils import TENSOR_PROCESSORS, TensorProcessor, get_gguf_hf_weights_map
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.utils import logging as transformers_logging

from demo.engines.local.loading.end_tokens import list_gguf_ends
from demo.engines.local.loading.gguf import GgufHeader, GgufTensor, read_header
from demo.engines.local.loading.load_errors import explain
from demo.engines.local.runners.transformers.loading import check_complete, list_configured_ends
from demo.errors import ModelError

ROPE_FACTORS = "rope_freqs.weight"  # divisors of Llama 3's rotary frequencies
LLAMA_3 = {  # the values of all its models
    "rope_type": "llama3",
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}


def load_gguf(path: Path, name: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The network in float32 and the tokenizer, ready to be saved. Raises ModelError: one sentence about `name`."""
    header = read_header(path)
    if scaling := _find_scaling(header):
        raise ModelError(
            f"{name} scales its rotary embeddings ({scaling}), which transformers does not read from a GGUF file: "
            "give the model's folder or hub id."
        )
    try:
        tokenizer, network, report = _load(path)
    except Exception as error:
        raise ModelError(explain(name, error)) from error
    check_complete(name, report)
    if unused := _list_unused(network, header, report):
        raise ModelError(
            f"{name} holds tensors that transformers does not read from GGUF files ({len(unused)}, {unused[0]} first): "
            "give the model's folder or hub id."
        )
    _prepare(network, header)
    return network, tokenizer


def _load(path: Path) -> tuple[PreTrainedTokenizerBase, PreTrainedModel, dict[str, Any]]:
    transformers_logging.enable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            path.parent, gguf_file=path.name, dtype=torch.float32, output_loading_info=True
        )
    finally:
        transformers_logging.disable_progress_bar()
    return tokenizer, *loaded


def _find_scaling(header: GgufHeader) -> str:
    architecture = header.metadata["general.architecture"]
    scaling = str(header.metadata.get(f"{architecture}.rope.scaling.type", "none"))
    return "" if scaling == "none" or architecture == "gpt-oss" else scaling


def _list_unused(network: PreTrainedModel, header: GgufHeader, report: dict[str, Any]) -> list[str]:
    """The tensors of the file that are not in the network."""
    quantizer: Any = network.hf_quantizer
    if quantizer.supported:  # transformers' newer reader reports them
        return sorted(report["unexpected_keys"])
    architecture = header.metadata["general.architecture"]
    processor: Any = TENSOR_PROCESSORS.get(architecture, TensorProcessor)
    used = get_gguf_hf_weights_map(network, processor(config=network.config.to_dict())).keys() | {ROPE_FACTORS}
    return sorted(name for name in header.tensors if used.isdisjoint((name, name.removesuffix(".weight"))))


def _prepare(network: PreTrainedModel, header: GgufHeader) -> None:
    """Set in the network's configs what transformers does not read from the file."""
    # The weights are dequantized; transformers would still refuse to save them as quantized.
    del network.hf_quantizer
    if hasattr(network.config, "quantization_config"):
        del network.config.quantization_config
    ends = {*list_configured_ends(network.config, network.generation_config), *list_gguf_ends(header.metadata)}
    network.generation_config.eos_token_id = sorted(ends) or None
    if factors := header.tensors.get(ROPE_FACTORS):
        _divide_frequencies(network.config, _read_floats(factors))


def _divide_frequencies(config: PreTrainedConfig, factors: list[float]) -> None:
    """Configure a rotary embedding whose frequencies are the default ones divided by `factors`."""
    theta = config.rope_parameters["rope_theta"]
    usual = theta ** (-torch.arange(len(factors)) / len(factors))
    config.rope_parameters = {"rope_theta": theta, "factor": max(factors)} | LLAMA_3
    if torch.allclose(ROPE_INIT_FUNCTIONS["llama3"](config)[0], usual / torch.tensor(factors)):
        return
    # "longrope" accepts any factors; those for long texts are set to the same.
    config.rope_parameters = {
        "rope_type": "longrope",
        "rope_theta": theta,
        "short_factor": factors,
        "long_factor": factors,
        "factor": 1.0,
        "attention_factor": 1.0,
        "original_max_position_embeddings": config.max_position_embeddings,
    }


def _read_floats(tensor: GgufTensor) -> list[float]:
    if tensor.quantization != GGMLQuantizationType.F32:
        raise ModelError(f"{tensor.path} holds {ROPE_FACTORS} as {tensor.quantization.name}: give another file.")
    return [float(each) for each in np.fromfile(tensor.path, np.float32, tensor.shape[0], offset=tensor.offset)]
