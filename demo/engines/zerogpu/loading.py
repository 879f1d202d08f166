"""Loads the model in the main thread, where the platform emulates CUDA, and puts it on the emulated GPU.

Everything but that one move is done on the CPU first: the emulation knows tensors, not allocators, streams or graphs.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Final

import torch

from demo.engines.local.chat_template import check_template
from demo.engines.local.loading.device import choose_dtype
from demo.engines.local.loading.free_memory import KVMemory
from demo.engines.local.loading.hub import fetch
from demo.engines.local.loading.loaded import Loaded
from demo.engines.local.loading.model import build_model
from demo.engines.local.loading.source import ModelSource, choose_source
from demo.engines.local.model import Model
from demo.engines.local.runner import Runner
from demo.engines.local.runners.transformers.eager import make_runner
from demo.engines.local.runners.transformers.loading import load_network, load_tokenizer, wrap_network
from demo.engines.local.runners.transformers.tokenizer import Pretrained
from demo.errors import ModelError
from demo.settings import Settings

KV_BYTES: Final = 8 << 30  # of the GPU's 70 GB or more


def load_model(settings: Settings) -> tuple[Model, Callable[[], Runner]]:
    """The model for this process, and what opens its runner in a worker. Raises ModelError or SettingError."""
    source = choose_source(settings, "cuda", embedded=None)
    if source.kind == "gguf":
        raise ModelError(
            f"{source.model_id} is a GGUF file, which a GPU can't use as it is: give a hub id or a folder."
        )
    dtype = choose_dtype(settings, "cuda", "that is for a CPU, not for cuda").value
    if source.kind == "hub":
        source = fetch(source, settings.revision)
    tokenizer = load_tokenizer(source, source.place)
    check_template(source.model_id, Pretrained(tokenizer))
    network = load_network(source, source.place, None, getattr(torch, dtype))
    return place(wrap_network(network, tokenizer, source.commit), source, settings)


def place(loaded: Loaded, source: ModelSource, settings: Settings) -> tuple[Model, Callable[[], Runner]]:
    """Move a loaded network to the GPU. A worker's runner is made in the worker, at its first run."""
    network = loaded.network
    assert network is not None, "transformers has loaded it"
    memory = KVMemory(settings.kv_cache_memory or KV_BYTES, not settings.no_prefix_cache)
    model = build_model(loaded, source, replace(settings, cuda_graphs=(), kv_cache_memory=memory.bytes))
    network.to("cuda")  # type: ignore[arg-type] # transformers' annotation of a decorated method
    card = replace(model.card, device="cuda", costs_quota=True)
    return replace(model, card=card), lru_cache(maxsize=1)(lambda: make_runner(network, memory))
