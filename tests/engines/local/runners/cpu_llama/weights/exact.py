"""The logits of transformers in float32, with which those of the CPU kernels are compared."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, DynamicCache, PreTrainedModel

from demo.engines.local.runners.transformers.forward import Forward

NEW = [66, 3, 250, 17, 128, 99, 5, 201]  # ids after a prompt


class HalfCache(DynamicCache):
    """transformers' own cache, with float16 keys and values like the CPU Llama's."""

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        return super().update(key_states.half().float(), value_states.half().float(), *args, **kwargs)


def read_exactly(path: Path) -> PreTrainedModel:
    """A GGUF file or a folder as transformers reads it."""
    place, options = (path, {}) if path.is_dir() else (path.parent, {"gguf_file": path.name})
    network: PreTrainedModel = AutoModelForCausalLM.from_pretrained(place, dtype=torch.float32, **options)
    network.eval()
    return network


@torch.inference_mode()
def follow_exactly(network: PreTrainedModel, prompt: Sequence[int], ids: Sequence[int] = NEW) -> Tensor:
    """Logits [1 + ids, vocabulary] after a prompt and each of the ids, in one pass."""
    logits: Tensor = network(torch.tensor([[*prompt, *ids]]), **{Forward(network).cache_name: HalfCache()}).logits
    return logits[0, len(prompt) - 1 :]


def assert_alike(ours: Tensor, exact: Tensor) -> None:
    """Logits are equal except where a sum that differs in its last bit rounds a key or value to another float16."""
    difference = (ours - exact).abs()
    assert float(difference.mean()) < 1e-3
    assert float(difference.max()) < 0.02
    assert torch.equal(ours.argmax(dim=-1), exact.argmax(dim=-1))
