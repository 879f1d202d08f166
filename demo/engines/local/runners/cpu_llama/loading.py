"""The network and the tokenizer of a Llama that runs from its weights as they are stored, or rounded."""

from demo.engines.local.loading.end_tokens import find_end_ids
from demo.engines.local.loading.free_memory import return_freed
from demo.engines.local.loading.loaded import Loaded
from demo.engines.local.loading.source import ModelSource
from demo.engines.local.runners.cpu_llama.runner import CpuLlamaRunner
from demo.engines.local.runners.cpu_llama.weights.checkpoint import Checkpoint, build_llama
from demo.engines.local.runners.cpu_llama.weights.rounding import Rounding


def load_llama(source: ModelSource, checkpoint: Checkpoint, rounding: Rounding | None = None) -> Loaded:
    """The model of a supported file or folder, rounded where a `rounding` is given.

    The tokenizer is built before the weights are read, since that takes 200 MB for a moment where there are 262,144
    tokens. Raises ModelError where it can't be used.
    """
    tokenizer, ends = checkpoint.load_tokenizer(source)
    return_freed()
    network = build_llama(checkpoint, rounding)
    return Loaded(
        tokenizer=tokenizer,
        make_runner=lambda memory: CpuLlamaRunner(network, memory),
        eos_ids=find_end_ids(tokenizer, ends, network.shape.vocabulary),
        context=network.shape.context,
        device="cpu",
        dtype=rounding.dtype.upper() if rounding and checkpoint.is_plain else checkpoint.dtype,
        revision=source.commit,
    )
