"""The path that each family takes on a CPU and on a GPU, found with tiny random networks."""

from typing import Final

from transformers import PreTrainedModel

from demo.engines.local.model import Model
from demo.engines.local.runners.transformers.cuda_graphs.loading import CannotCapture, Plan, capture
from tests.engines.local.runners.cpu_llama.architectures.tiny_families import WINDOW, make_family
from tests.engines.local.tiny import make_captured, make_model

GRAPHS: Final = "CUDA graphs"
WITHIN_WINDOW: Final = f"{GRAPHS} where no sequence is longer than its window, else eager"
EAGER: Final = "eager"


def find_gpu_path(family: str) -> str:
    """How transformers' runner computes a family on a GPU."""
    network = make_family(family)
    if can_capture(network, columns=2 * WINDOW):
        return GRAPHS
    return WITHIN_WINDOW if can_capture(network, columns=WINDOW) else EAGER


def can_capture(network: PreTrainedModel, columns: int) -> bool:
    """Whether its steps can be captured for sequences of so many tokens."""
    try:
        capture(network, Plan(2, columns, (1, 2)), lambda loading: None)
    except CannotCapture:
        return False
    return True


def open_as_on_gpu(family: str, network: PreTrainedModel) -> Model:
    """As a GPU serves it."""
    return make_captured(network) if find_gpu_path(family) == GRAPHS else make_model(network)
