"""A Llama as transformers saves it: finds its folder, on the hub too, and loads network and tokenizer."""

from pathlib import Path

from huggingface_hub import hf_hub_download, snapshot_download
from transformers import GenerationConfig
from transformers.utils import SAFE_WEIGHTS_INDEX_NAME, SAFE_WEIGHTS_NAME
from transformers.utils import logging as transformers_logging

from demo.engines.local.loading.end_tokens import find_end_ids
from demo.engines.local.loading.loaded import Loaded
from demo.engines.local.loading.source import ModelSource
from demo.engines.local.runners.cpu_llama.runner import CpuLlamaRunner
from demo.engines.local.runners.cpu_llama.weights.checkpoint import build_llama
from demo.engines.local.runners.cpu_llama.weights.safetensors import LlamaFolder
from demo.engines.local.runners.transformers.loading import explained, list_configured_ends, load_tokenizer
from demo.engines.local.runners.transformers.tokenizer import Pretrained

FILES = [SAFE_WEIGHTS_NAME, SAFE_WEIGHTS_INDEX_NAME, "model-*-of-*.safetensors", "generation_config.json"]


def find_saved(source: ModelSource, revision: str | None) -> Path:
    """The model's folder. A hub's Llama is downloaded, of other models the config alone. Raises ModelError."""
    if source.kind != "hub":
        return Path(source.place)
    with explained(source):
        folder = Path(hf_hub_download(source.place, "config.json", revision=revision)).parent
        if not LlamaFolder(folder).find_unsupported_config():
            transformers_logging.enable_progress_bar()  # a download takes minutes
            snapshot_download(source.place, revision=folder.name, allow_patterns=FILES)
    return folder


def load_saved(source: ModelSource, saved: LlamaFolder) -> Loaded:
    """The model of a supported folder. Raises ModelError where its tokenizer can't be used."""
    revision = saved.folder.name if source.kind == "hub" else None
    tokenizer = Pretrained(load_tokenizer(source, source.place, revision))
    network = build_llama(saved)
    try:
        generation = GenerationConfig.from_pretrained(saved.folder)
    except OSError:  # the folder has none
        generation = None
    ends = list_configured_ends(saved.config, generation)
    return Loaded(
        tokenizer=tokenizer,
        make_runner=lambda memory: CpuLlamaRunner(network, memory),
        eos_ids=find_end_ids(tokenizer, ends, network.shape.vocabulary),
        context=network.shape.context,
        device="cpu",
        dtype=saved.dtype,
        revision=revision,
    )
