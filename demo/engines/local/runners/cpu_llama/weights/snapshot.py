"""A Llama as transformers saves it, in a folder or on the hub: its folder found, network and tokenizer loaded."""

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
    """The model's folder; a hub's Llama is fetched into one, of other models the config. Raises ModelError."""
    if source.kind != "hub":
        return Path(source.place)
    with explained(source):
        folder = Path(hf_hub_download(source.place, "config.json", revision=revision)).parent
        if not LlamaFolder(folder).find_difference():
            transformers_logging.enable_progress_bar()  # a download takes minutes
            snapshot_download(source.place, revision=folder.name, allow_patterns=FILES)
    return folder


def load_saved(source: ModelSource, folder: Path) -> Loaded:
    """The model of a folder without an obstacle. Raises ModelError where its tokenizer can't be used."""
    revision = folder.name if source.kind == "hub" else None
    tokenizer = Pretrained(load_tokenizer(source, source.place, revision))
    saved = LlamaFolder(folder)
    network = build_llama(saved)
    ends = list_configured_ends(saved.config, _read_generation_config(folder))
    return Loaded(
        tokenizer=tokenizer,
        make_runner=lambda memory: CpuLlamaRunner(network, memory),
        eos_ids=find_end_ids(tokenizer, ends, network.shape.vocabulary),
        context=network.shape.context,
        device="cpu",
        dtype=saved.dtype,
        revision=revision,
    )


def _read_generation_config(folder: Path) -> GenerationConfig | None:
    try:
        return GenerationConfig.from_pretrained(folder)
    except OSError:
        return None
