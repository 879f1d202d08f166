"""The documented figures, measured on this machine: `make figures`.

Compared systems are measured in rounds of one run, after a warm-up that is dropped. Prefix caching is off unless a
figure's name says otherwise. The last line is one JSON document.
"""

import platform
from collections.abc import Iterator

import torch
import transformers

from demo.engines.local.runners.cpu_llama.weights.unsupported import open_checkpoint
from tests.comparison.systems.requantize import require_embedded
from tests.figures.crowd import measure_crowd
from tests.figures.fairness import measure_fairness
from tests.figures.figure import Figure, print_all
from tests.figures.kv_pages import measure_kv_pages
from tests.figures.page import measure_page, measure_paint
from tests.figures.prompts import measure_prompts
from tests.figures.quality import measure_quality
from tests.figures.room import measure_room
from tests.figures.speed import NEW_TOKENS, measure_speed
from tests.figures.start import measure_start
from tests.figures.streams import measure_streams
from tests.figures.tabs import measure_tabs
from tests.figures.updates import measure_updates
from tests.figures.wire import measure_wire


def describe_conditions() -> str:
    """The conditions, on one line."""
    weights = "in float32" if open_checkpoint(require_embedded())[1] else "as stored"
    return (
        f"SmolLM2-135M-Instruct, cpu, weights {weights}, generate's in float32, {torch.get_num_threads()} threads, "
        f"36 prompt and {NEW_TOKENS} new tokens, greedy; Python {platform.python_version()}, "
        f"torch {torch.__version__}, transformers {transformers.__version__}, {platform.machine()}"
    )


def measure_all() -> Iterator[Figure]:
    """The figures, in the order of measurement."""
    yield from measure_speed()
    yield from measure_fairness()
    yield from measure_start()
    yield measure_paint()
    yield from measure_updates()
    yield from measure_page()
    for measure in (measure_crowd, measure_wire, measure_streams, measure_prompts, measure_quality):
        yield from measure()
    yield from measure_kv_pages()
    yield from measure_tabs()
    yield from measure_room()


if __name__ == "__main__":
    print_all(describe_conditions(), measure_all())
