"""Another instance of this server: TGI's dialect with all that this one adds to it."""

from collections.abc import Mapping
from typing import ClassVar

from demo.engines.endpoint.chunk import Finish
from demo.engines.endpoint.connection import Json
from demo.engines.endpoint.kinds.plain import FINISHES, OPENAI
from demo.engines.endpoint.kinds.tgi import NATIVE, TgiBackend
from demo.engines.endpoint.kinds.vllm import SAMPLERS
from demo.request import Request, Sampling


class TokenStreamingBackend(TgiBackend):
    """It cuts its text before a stop string by itself, and says that it did."""

    title: ClassVar[str] = "token-streaming"
    sampling_names: ClassVar[Mapping[str, str]] = OPENAI | SAMPLERS
    native_names: ClassVar[frozenset[str]] = frozenset(NATIVE[:7])
    native_finishes: ClassVar[Mapping[str, Finish]] = FINISHES | {"stop_sequence": "stop_sequence"}
    stop_options: ClassVar[Json] = {"include_stop_str_in_output": True}
    seed_bits: ClassVar[int] = 64
    ignores_eos: ClassVar[bool] = True
    chooses_cache: ClassVar[bool] = True
    takes_template_options: ClassVar[bool] = True
    takes_ids: ClassVar[bool] = True
    fits_by_itself: ClassVar[bool] = True

    def is_given_stops(self, request: Request) -> bool:
        # For a text it cuts before the stop string itself, and can't leave it in.
        return not (request.keeps_stop and isinstance(request.prompt, str))

    def write_sampling(self, sampling: Sampling) -> Json:
        written = super().write_sampling(sampling)
        return {name: value for name, value in written.items() if getattr(sampling, name, None) is not None}

    def write_native_extensions(self, request: Request) -> Json:
        return {"raw": True, "ignore_eos": request.ignore_eos, "cache_prompt": request.cache_prompt}

    def write_extensions(self, request: Request) -> Json:
        return {"ignore_eos": request.ignore_eos, "cache_prompt": request.cache_prompt, "return_token_ids": True}

    def read_finish(self, choice: Json) -> Finish | None:
        return "stop_sequence" if isinstance(choice.get("stop_reason"), str) else super().read_finish(choice)
