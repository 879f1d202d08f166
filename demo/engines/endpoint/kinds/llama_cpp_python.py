"""llama-cpp-python's server: OpenAI's dialect with llama.cpp's samplers. It breaks answers off for other requests.

`--interrupt_requests false` makes it queue them. Asked for log-probabilities it drops characters of several tokens.
"""

from collections.abc import Mapping
from typing import ClassVar, Final

from demo.engines.endpoint.connection import Json
from demo.engines.endpoint.kinds.plain import OPENAI, PlainBackend

LLAMA_CPP: Final = OPENAI | {"top_k": "top_k", "min_p": "min_p", "repetition_penalty": "repeat_penalty"}


class LlamaCppPythonBackend(PlainBackend):
    """It is told every sampler: its defaults are not neutral."""

    title: ClassVar[str] = "llama-cpp-python"
    sampling_names: ClassVar[Mapping[str, str]] = LLAMA_CPP
    seed_bits: ClassVar[int] = 31
    has_logprobs: ClassVar[bool] = False


def is_llama_cpp_python(entry: Json) -> bool:
    """Whether an entry of /v1/models is this server's, which has no route of its own."""
    return entry.get("owned_by") == "me" and "permissions" in entry
