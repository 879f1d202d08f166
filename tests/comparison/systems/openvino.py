"""A program around OpenVINO GenAI, which reads a GGUF file: `python -m tests.comparison.systems.openvino FILE`.

Its defaults for one request at a time, without prefix caching.
"""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from tests.comparison.systems.program import Generate, Messages, serve_lines

UNBOUNDED: Final = 2**31 - 1  # its own default


def load(file: str) -> Generate:
    """The pipeline on the CPU."""
    import openvino_genai

    config = openvino_genai.SchedulerConfig()
    config.enable_prefix_caching = False
    config.max_num_batched_tokens = UNBOUNDED
    return partial(generate, openvino_genai, openvino_genai.LLMPipeline(file, "CPU", scheduler_config=config))


def generate(
    library: Any, pipeline: Any, messages: Messages, new_tokens: int, listen: Callable[[str], None]
) -> tuple[str, int, int]:
    """Greedy, to the full length."""
    tokenizer = pipeline.get_tokenizer()
    prompt = tokenizer.apply_chat_template(messages, add_generation_prompt=True)
    options = library.GenerationConfig(
        max_new_tokens=new_tokens, ignore_eos=True, do_sample=False, apply_chat_template=False
    )
    pieces: list[str] = []

    def take(piece: str) -> Any:
        listen(piece)
        pieces.append(piece)
        return library.StreamingStatus.RUNNING

    result = pipeline.generate([prompt], options, take)
    metrics = result.perf_metrics
    return "".join(pieces), metrics.get_num_generated_tokens(), metrics.get_num_input_tokens()


if __name__ == "__main__":
    serve_lines(lambda: load(sys.argv[1]))
