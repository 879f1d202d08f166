"""Server programs: how each is recognised, its prefix caching, and the request parameters that switch that off.

Knows no connection: it is given a function that gets a path's JSON.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from uuid import uuid4

from demo.bench.dialects import Json


@dataclass(frozen=True, slots=True)
class Software:
    """A server program. `path` and `version` locate its version; `marks` are other values of that reply.

    `prefix_caching`: what it reuses of earlier prompts, and how that is prevented. `write_cache_parameters` returns the
    parameters of one request with which it reuses nothing.
    """

    name: str
    path: str
    version: str
    prefix_caching: str
    write_cache_parameters: Callable[[], Mapping[str, Json]] = dict
    marks: Mapping[str, Json] = field(default_factory=dict)

    def is_author_of(self, reply: Json) -> bool:
        """Whether it answers this at `path`."""
        return (
            isinstance(reply, dict)
            and bool(reply.get(self.version))
            and all(reply.get(key) == value for key, value in self.marks.items())
        )


_OFF = "each request switches it off (cache_prompt: false)"
_SALTED = "of all prompts; each request has a cache_salt of its own, for which no prefix is cached"
_OPTIONAL = "of all prompts, if the server was started with it; no request parameter switches it off"
_NO_CACHE = partial(dict[str, Json], cache_prompt=False)
_ROUTER = {"router": "token-streaming"}
OURS = Software("token-streaming", "/info", "version", f"of all prompts; {_OFF}", _NO_CACHE, _ROUTER)
LLAMA_SERVER = Software("llama-server", "/props", "build_info", f"of each slot's last prompt; {_OFF}", _NO_CACHE)
VLLM = Software("vLLM", "/version", "version", _SALTED, lambda: {"cache_salt": uuid4().hex})
TGI = Software("text-generation-inference", "/info", "version", _OPTIONAL)
UNKNOWN = Software("unknown", "", "", "not known; no parameter is sent")
SOFTWARE = (OURS, LLAMA_SERVER, VLLM, TGI)


def recognise_software(get_json: Callable[[str], Json]) -> tuple[Software, str]:
    """The program behind a server, and its version; UNKNOWN and a dash where it is none of these."""
    for software in SOFTWARE:
        reply = get_json(software.path)
        if software.is_author_of(reply):
            return software, str(reply[software.version])
    return UNKNOWN, "—"
