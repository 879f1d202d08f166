"""The network and the tokenizer of a GGUF file whose model runs from the weights as they are stored."""

from demo.engines.local.loading.end_tokens import find_end_ids, list_gguf_ends
from demo.engines.local.loading.free_memory import return_freed
from demo.engines.local.loading.gguf_tokenizer import load_tokenizer
from demo.engines.local.loading.loaded import Loaded
from demo.engines.local.runners.cpu_llama.runner import CpuLlamaRunner
from demo.engines.local.runners.cpu_llama.weights.checkpoint import build_llama
from demo.engines.local.runners.cpu_llama.weights.gguf import GgufFile
from demo.engines.local.runners.cpu_llama.weights.rounding import Rounding


def load_llama(file: GgufFile, rounding: Rounding | None = None, template: str | None = None) -> Loaded:
    """The model of a supported file, rounded where a `rounding` is given; `template` replaces its chat template.

    The tokenizer is built before the weights are read, since that takes 200 MB for a moment where there are 262,144
    tokens; the file's own list of them, 40 MB, is released.
    """
    shape = file.shape
    tokenizer = load_tokenizer(file.path, file.metadata, template)
    ends = find_end_ids(tokenizer, list_gguf_ends(file.metadata), shape.vocabulary)
    file.release_vocabulary()
    return_freed()
    network = build_llama(file, rounding)
    return Loaded(
        tokenizer=tokenizer,
        make_runner=lambda memory: CpuLlamaRunner(network, memory),
        eos_ids=ends,
        context=network.shape.context,
        device="cpu",
        dtype=rounding.dtype.upper() if rounding and file.is_plain else file.find_dtype(),
    )
