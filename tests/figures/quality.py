"""Quality of the weights as stored, beside the same weights in float32 in transformers.

The text, prose.txt, was written for this measurement and is not part of a corpus.
"""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import exp
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, cast

import torch
from torch import Tensor
from transformers import PreTrainedModel

from demo.embedded import EMBEDDED_ID
from demo.engines.local.loading.loaded import Loaded
from demo.engines.local.loading.source import ModelSource
from demo.engines.local.runners.cpu_llama.loading import load_llama
from demo.engines.local.runners.cpu_llama.runner import CpuLlamaRunner
from demo.engines.local.runners.cpu_llama.weights.checkpoint import build_llama
from demo.engines.local.runners.cpu_llama.weights.gguf import GgufFile
from demo.engines.local.runners.cpu_llama.weights.rounding import ROUNDINGS
from demo.engines.local.runners.cpu_llama.weights.safetensors import LlamaFolder
from demo.settings import FOUR_BITS, ROUNDED
from tests.comparison.systems.requantize import require_embedded
from tests.engines.local.following import MEMORY, open_sequence, step
from tests.figures.figure import Figure, summarise
from tests.figures.speed import load_network

TEXT: Final = Path(__file__).with_name("prose.txt")
CONTEXT: Final = 512  # tokens scored in each context; all contexts are one batch


@dataclass(frozen=True)
class Quality:
    """Both perplexities of `tokens` scored tokens, and the mean of KL(exact || stored) in nats."""

    tokens: int
    stored: float
    exact: float
    divergence: float

    @property
    def rise(self) -> float:
        """The relative increase of the perplexity over the exact weights."""
        return self.stored / self.exact - 1


def measure_quality() -> Iterator[Figure]:
    """The embedded model's quality, as figures: as stored in 4 bits; and in 16 bits, rounded to 8 and to 4."""
    names = {None: "as stored", ROUNDED: "float16 rounded to 8 bits", FOUR_BITS: "float16 rounded to 4 bits"}
    for rounding, name in names.items():
        quality = compare_weights(rounding=rounding)
        yield summarise(f"perplexity of {quality.tokens} tokens: {name}", "", [quality.stored])
        yield summarise(f"perplexity of {quality.tokens} tokens: in float32", "", [quality.exact])
        yield summarise(f"perplexity: {name}, above float32", "%", [quality.rise * 100])
        yield summarise(f"mean KL(float32 || {name})", "nats", [quality.divergence])


def load_embedded() -> Loaded:
    """The embedded model with its weights as stored."""
    file = require_embedded()
    return load_llama(ModelSource(EMBEDDED_ID, "embedded", str(file), ""), GgufFile(file))


def _load_rounded(network: PreTrainedModel, rounding: str) -> Loaded:
    """A network in float16, as a hub has it, rounded at load."""
    with TemporaryDirectory() as folder:
        _rescale(copy.deepcopy(network)).half().save_pretrained(folder)
        rounded = build_llama(LlamaFolder(Path(folder)), ROUNDINGS[rounding])
    return replace(load_embedded(), make_runner=lambda memory: CpuLlamaRunner(rounded, memory))


def _rescale(network: PreTrainedModel) -> PreTrainedModel:
    """The same function by other weights: each input of a matrix is multiplied by a random factor and its weights are
    divided by it. The embedded model's own lie on a grid of 4 bits, and would be rounded to it without any loss.
    """
    random = torch.Generator().manual_seed(0)
    for layer in cast(Any, network).model.layers:
        attention, mlp = layer.self_attn, layer.mlp
        entrances = (
            (layer.input_layernorm, (attention.q_proj, attention.k_proj, attention.v_proj)),
            (layer.post_attention_layernorm, (mlp.gate_proj, mlp.up_proj)),
            (mlp.up_proj, (mlp.down_proj,)),
        )
        for entrance, matrices in entrances:
            factors = 0.9 + 0.2 * torch.rand(len(entrance.weight), generator=random)
            entrance.weight.mul_(factors.view(-1, *[1] * (entrance.weight.dim() - 1)))
            for matrix in matrices:
                matrix.weight.div_(factors)
        _rescale_values(attention, random)
    return network


def _rescale_values(attention: Any, random: torch.Generator) -> None:
    """The values of a head, which several query heads read."""
    factors = 0.9 + 0.2 * torch.rand(len(attention.v_proj.weight), generator=random)
    attention.v_proj.weight.mul_(factors[:, None])
    heads = factors.view(-1, attention.head_dim).repeat_interleave(attention.num_key_value_groups, dim=0)
    attention.o_proj.weight.div_(heads.flatten())


@torch.inference_mode()
def compare_weights(context: int = CONTEXT, rows: int | None = None, rounding: str | None = None) -> Quality:
    """Score `rows` contexts of the text, or all, with both weights, by decode steps as in generation.

    With a `rounding`, the model is compared as a hub has it in float16 and a CPU runs it, rounded at load.
    """
    network = load_network()
    loaded = _load_rounded(network, rounding) if rounding else load_embedded()
    contexts = _cut(loaded.tokenizer.encode(TEXT.read_text(), raw=True), context)[:rows]
    hidden = _read_exactly(network, contexts[:, :-1])
    runner = loaded.make_runner(MEMORY)
    handles = [open_sequence(runner, [0]) for _ in contexts]
    losses, divergences = [], []
    for place, (ids, followers) in enumerate(pairwise(contexts.T)):
        stored = step(runner, dict(zip(handles, ids.tolist(), strict=True))).log_softmax(dim=-1)
        exact = _score(network, hidden[:, place])
        losses.append(torch.stack([-each.gather(1, followers[:, None]).mean() for each in (stored, exact)]))
        divergences.append((exact.exp() * (exact - stored)).sum(dim=-1).mean())
    stored_loss, exact_loss = torch.stack(losses).mean(dim=0).tolist()
    tokens = contexts[:, 1:].numel()
    return Quality(tokens, exp(stored_loss), exp(exact_loss), float(torch.stack(divergences).mean()))


def _cut(ids: Sequence[int], context: int) -> Tensor:
    """Contexts [contexts, context + 1]; the remainder of the text is not scored."""
    count = len(ids) // (context + 1)
    return torch.tensor(ids[: count * (context + 1)]).view(count, context + 1)


def _read_exactly(network: PreTrainedModel, contexts: Tensor) -> Tensor:
    """Hidden states [contexts, tokens, hidden]: the logits of all of them would be as large as the model."""
    read = cast(Any, network).model
    return torch.cat([read(input_ids=context[None]).last_hidden_state for context in contexts])


def _score(network: PreTrainedModel, hidden: Tensor) -> Tensor:
    """Log-probabilities [rows, vocabulary] after hidden states [rows, hidden]."""
    logits: Tensor = cast(Any, network).lm_head(hidden)
    return logits.log_softmax(dim=-1)
