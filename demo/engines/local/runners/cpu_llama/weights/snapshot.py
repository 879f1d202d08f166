"""The network and the tokenizer of a Llama in a folder, as transformers saves it."""

from transformers import GenerationConfig

from demo.engines.local.loading.end_tokens import find_end_ids
from demo.engines.local.loading.loaded import Loaded
from demo.engines.local.loading.source import ModelSource
from demo.engines.local.runners.cpu_llama.runner import CpuLlamaRunner
from demo.engines.local.runners.cpu_llama.weights.checkpoint import build_llama
from demo.engines.local.runners.cpu_llama.weights.rounding import Rounding
from demo.engines.local.runners.cpu_llama.weights.safetensors import LlamaFolder
from demo.engines.local.runners.transformers.loading import list_configured_ends, load_tokenizer
from demo.engines.local.runners.transformers.tokenizer import Pretrained


def load_saved(source: ModelSource, saved: LlamaFolder, rounding: Rounding | None) -> Loaded:
    """The model of a supported folder, rounded where a `rounding` is given.

    Raises ModelError where its tokenizer can't be used.
    """
    tokenizer = Pretrained(load_tokenizer(source, source.place))
    network = build_llama(saved, rounding)
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
        dtype=rounding.dtype.upper() if rounding else saved.dtype,
        revision=source.commit,
    )
