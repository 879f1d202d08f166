"""The network and the tokenizer of a GGUF file whose model runs from the weights as they are stored."""

from concurrent.futures import ThreadPoolExecutor

from demo.engines.local.loading.end_tokens import find_end_ids, list_gguf_ends
from demo.engines.local.loading.gguf_tokenizer import load_tokenizer
from demo.engines.local.loading.loaded import Loaded
from demo.engines.local.runners.cpu_llama.runner import CpuLlamaRunner
from demo.engines.local.runners.cpu_llama.weights.checkpoint import build_llama
from demo.engines.local.runners.cpu_llama.weights.gguf import GgufFile
from demo.settings import ROUNDED


def load_llama(file: GgufFile, rounded: bool = False, template: str | None = None) -> Loaded:
    """The model of a supported file, `rounded` to 8 bits where it has more; `template` replaces its chat template."""
    with ThreadPoolExecutor(1) as pool:
        tokenizer = pool.submit(load_tokenizer, file.path, file.metadata, template)
        network = build_llama(file, rounded)
    return Loaded(
        tokenizer=tokenizer.result(),
        make_runner=lambda memory: CpuLlamaRunner(network, memory),
        eos_ids=find_end_ids(tokenizer.result(), list_gguf_ends(file.metadata), network.shape.vocabulary),
        context=network.shape.context,
        device="cpu",
        dtype=ROUNDED.upper() if rounded and file.is_plain else file.find_dtype(),
    )
