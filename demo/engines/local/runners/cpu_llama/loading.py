"""The network and the tokenizer of a GGUF file that can be answered from as it is stored."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from demo.engines.local.loading.gguf_tokenizer import load_tokenizer
from demo.engines.local.loading.loaded import Loaded
from demo.engines.local.runners.cpu_llama.runner import CpuLlamaRunner
from demo.engines.local.runners.cpu_llama.weights.checkpoint import build_llama
from demo.engines.local.runners.cpu_llama.weights.gguf import GgufFile


def load_llama(gguf: Path) -> Loaded:
    """The model of a file without an obstacle."""
    file = GgufFile(gguf)
    with ThreadPoolExecutor(1) as pool:
        tokenizer = pool.submit(load_tokenizer, gguf, file.metadata)
        network = build_llama(file)
    ends = (file.metadata.get(f"tokenizer.ggml.{name}_token_id") for name in ("eos", "eot"))
    return Loaded(
        tokenizer=tokenizer.result(),
        make_runner=lambda memory: CpuLlamaRunner(network, memory),
        eos_ids=frozenset(id for id in ends if id is not None),
        context=network.shape.context,
        device="cpu",
        dtype=Counter(file.forms()).most_common(1)[0][0],
    )
