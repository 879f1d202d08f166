"""Server programs: how each is recognised, what it keeps of earlier prompts, and how a request prevents their reuse.

Knows no connection: it is given a function that gets a path's JSON.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from uuid import uuid4

from demo.bench.dialects import Json

GetJson = Callable[[str], Json]

_CACHE_PROMPT = "cache_prompt: false"


def _write_nothing() -> dict[str, Json]:
    return {}


def _write_cache_prompt() -> dict[str, Json]:
    return {"cache_prompt": False}


def _write_cache_salt() -> dict[str, Json]:
    return {"cache_salt": uuid4().hex}


@dataclass(frozen=True, slots=True)
class Software:
    """A server program. `path` and `version` say where its version is; `marks` are values that it has there.

    `keeps`: what it reuses of earlier prompts, and what is done about it. `write_no_reuse` gives the parameters of one
    request that has it reuse nothing.
    """

    name: str
    path: str
    version: str
    keeps: str
    write_no_reuse: Callable[[], Mapping[str, Json]] = _write_nothing
    marks: Mapping[str, Json] = field(default_factory=dict)

    def recognises(self, reply: Json) -> bool:
        """Whether this is what it answers at `path`."""
        return (
            isinstance(reply, dict)
            and bool(reply.get(self.version))
            and all(reply.get(key) == value for key, value in self.marks.items())
        )


OURS = Software(
    "token-streaming",
    "/info",
    "version",
    f"prefixes of prompts; each request asks it not to reuse them ({_CACHE_PROMPT})",
    _write_cache_prompt,
    {"router": "token-streaming"},
)
LLAMA_SERVER = Software(
    "llama-server",
    "/props",
    "build_info",
    f"each slot's last prompt; each request asks it not to reuse it ({_CACHE_PROMPT})",
    _write_cache_prompt,
)
VLLM = Software(
    "vLLM",
    "/version",
    "version",
    "prefixes of prompts; each request has a cache_salt of its own, with which it finds none",
    _write_cache_salt,
)
TGI = Software(
    "text-generation-inference",
    "/info",
    "version",
    "prefixes of prompts where it was started so; no parameter of a request prevents that",
)
UNKNOWN = Software("unknown", "", "", "not known; no parameter is sent")
SOFTWARE = (OURS, LLAMA_SERVER, VLLM, TGI)


def recognise_software(get_json: GetJson) -> tuple[Software, str]:
    """The program behind a server, and its version; UNKNOWN and a dash where it is none of these."""
    for software in SOFTWARE:
        reply = get_json(software.path)
        if software.recognises(reply):
            return software, str(reply[software.version])
    return UNKNOWN, "—"
