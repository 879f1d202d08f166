"""Random models of two layers with a byte-level tokenizer, which answer in milliseconds."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    GPTNeoXConfig,
    LlamaConfig,
    MambaConfig,
    MistralConfig,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from demo.engines.local.loading.model import build_model
from demo.engines.local.loading.source import ModelSource
from demo.engines.local.model import Model
from demo.engines.local.runners.transformers.cuda_graphs.loading import Plan, capture
from demo.engines.local.runners.transformers.loading import wrap_network
from demo.settings import Settings

EOS = "<|end|>"
TEMPLATE = (
    "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}"
    + EOS
    + "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
VOCABULARY = 260
SMALL: dict[str, Any] = {"vocab_size": VOCABULARY, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}


def make_tokenizer(template: Any = TEMPLATE) -> PreTrainedTokenizerFast:
    """256 ids for the bytes, then the special tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: id for id, letter in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(name, special=True) for name in (EOS, "<|user|>", "<|assistant|>")])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=EOS)
    fast.chat_template = template
    return fast


GROUPED: dict[str, Any] = {**SMALL, "intermediate_size": 64, "num_key_value_heads": 2}
LLAMA: dict[str, Any] = {**GROUPED, "max_position_embeddings": 512}
LLAMA_3: dict[str, Any] = {  # its scaling of rotary embeddings
    "rope_type": "llama3",
    "rope_theta": 10000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}


ARCHITECTURES: dict[str, Callable[[], PreTrainedConfig]] = {
    "llama": lambda: LlamaConfig(**LLAMA),
    "sliding window": lambda: MistralConfig(**GROUPED, sliding_window=8),
    "fused QKV": lambda: GPTNeoXConfig(**SMALL, intermediate_size=64, max_position_embeddings=512),
    "alibi": lambda: BloomConfig(vocab_size=VOCABULARY, hidden_size=32, n_layer=2, n_head=4),
    "recurrent": lambda: MambaConfig(vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2, state_size=4),
}
KINDS = [*ARCHITECTURES, "captured"]  # of models in eager mode, and a Llama with captured steps


def make_network(architecture: str = "llama", seed: int = 0) -> PreTrainedModel:
    """A random network whose logits differ enough for different answers."""
    return build_network(ARCHITECTURES[architecture](), seed)


def build_network(config: PreTrainedConfig, seed: int = 0) -> PreTrainedModel:
    config.eos_token_id = VOCABULARY - 4
    torch.manual_seed(seed)
    network: PreTrainedModel = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    for parameter in network.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.3)
    network.eval()
    return network


def make_model(
    network: PreTrainedModel | None = None,
    settings: Settings | None = None,
    tokenizer: PreTrainedTokenizerFast | None = None,
) -> Model:
    """A Model of `network`, a random Llama if none is given."""
    source = ModelSource("tiny", "folder", "tiny", "made by a test")
    loaded = wrap_network(network or make_network(), tokenizer or make_tokenizer())
    return build_model(loaded, source, settings or Settings())


def make_captured(network: PreTrainedModel, rows: int = 64) -> Model:
    """The model of a network whose steps are captured, on the CPU."""
    runner = capture(network, Plan(rows, 512, (1, 2, 4, 8, 16, 32, 64)), lambda loading: None)
    return replace(make_model(network), runner=runner)


def make_kind(kind: str, network: PreTrainedModel | None = None) -> Model:
    if kind == "captured":
        return make_captured(network or make_network())
    return make_model(network or make_network(kind))
