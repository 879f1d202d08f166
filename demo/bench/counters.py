"""How many tokens a server has generated, from its Prometheus metrics: each program's own name for the counter. Pure.

The text format: https://prometheus.io/docs/instrumenting/exposition_formats/#text-format-details
"""

import re
from typing import Final

# This project counts under TGI's name; a name with several label sets (models, replicas) is summed.
COUNTERS: Final = (
    "tgi_request_generated_tokens_sum",  # this project; text-generation-inference, for requests that succeeded
    "vllm:generation_tokens_total",
    "llamacpp:tokens_predicted_total",  # llama-server --metrics
    "sglang:generation_tokens_total",  # SGLang --enable-metrics
)


def count_generated(metrics: str) -> tuple[str, float] | None:
    """The counter's name and value; None where the text has none that is known."""
    for name in COUNTERS:
        values = re.findall(rf"^{re.escape(name)}(?:\{{[^\n]*\}})?\s+(\S+)", metrics, re.MULTILINE)
        if values:
            return name, sum(map(float, values))
    return None
