"""SmolLM3: a Llama of which some layers do not rotate (arXiv:2501.18795)."""

from dataclasses import replace
from typing import Any, Final

import torch

from demo.engines.local.runners.cpu_llama.architectures.architecture import (
    Architecture,
    Choices,
    GgufNumbers,
    LayerChoice,
    read_config_choices,
    read_gguf_choices,
)
from demo.engines.local.runners.cpu_llama.shape import Rotary, Shape

GGUF_STEP: Final = 4  # llama.cpp's: each fourth layer does not rotate


def _read_gguf(numbers: GgufNumbers) -> Choices:
    rotates = [(layer + 1) % GGUF_STEP != 0 for layer in range(numbers.shape.layers)]
    return _choose(read_gguf_choices(numbers), rotates)


def _read_config(config: Any, shape: Shape) -> Choices:
    return _choose(read_config_choices(config, shape), config.no_rope_layers)  # 1 where a layer does rotate


def _choose(usual: Choices, rotates: list[bool]) -> Choices:
    """The second table of frequencies rotates nothing."""
    frequencies = torch.cat([usual.rotary.frequencies, torch.zeros_like(usual.rotary.frequencies)])
    layers = tuple(
        LayerChoice(rotation=0 if rotated else 1, window=layer.window)
        for rotated, layer in zip(rotates, usual.layers, strict=True)
    )
    return replace(usual, rotary=Rotary(frequencies), layers=layers)


SMOLLM_3 = Architecture(
    "smollm3", "smollm3", "SmolLM3Config", rotates_halves=False, read_gguf=_read_gguf, read_config=_read_config
)
