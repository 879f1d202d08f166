"""Larger models that the model line offers by name, with the memory that they need."""

from typing import Final

from demo.engine import ModelCard

PARAMETERS: Final = {
    "Qwen/Qwen3-0.6B": 596_049_920,
    "HuggingFaceTB/SmolLM2-1.7B-Instruct": 1_711_376_384,
    "HuggingFaceTB/SmolLM3-3B": 3_075_098_624,
}
ON_CPU: Final = 34 / 32  # bytes of a number in Q8_0: 32 bytes share a float16
ON_GPU: Final = 2.0
BESIDE: Final = 0.5e9  # bytes of the program with its page
UNREACHABLE: Final = (
    "The hub can't be reached from this server, and without it there is no larger model: give a folder or a .gguf file "
    "as --model-id."
)


def has_offer(card: ModelCard) -> bool:
    """Whether there are larger models than this one to be offered: it is the one that is installed with the demo."""
    return card.source == "embedded"


def describe_offer(card: ModelCard) -> str:
    """How to start the demo with each of them on the same device, and the memory that it takes."""
    size = ON_CPU if card.device == "cpu" else ON_GPU
    offers = [
        f"--model-id {name} (about {(size * parameters + BESIDE) / 1e9:.1f} GB of memory)"
        for name, parameters in PARAMETERS.items()
    ]
    return f"Larger models answer better, and slower. Start this server with {', '.join(offers[:-1])} or {offers[-1]}."
