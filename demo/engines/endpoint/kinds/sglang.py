"""SGLang: vLLM's extensions under other names. It tells ids for plain texts alone."""

from typing import ClassVar

from demo.engine import Piece
from demo.engines.endpoint.backend import Backend
from demo.engines.endpoint.connection import Connection, Json
from demo.engines.endpoint.kinds.vllm import VllmBackend, make_salt
from demo.request import Prompt, Request


class SglangBackend(VllmBackend):
    """A seed counts only where it is started for deterministic inference, which it does not tell: it is refused."""

    title: ClassVar[str] = "SGLang"
    stop_options: ClassVar[Json] = {"no_stop_trim": True}
    seed_bits: ClassVar[int] = 0
    fits_by_itself: ClassVar[bool] = False

    def write_prompt(self, request: Request) -> Json:
        prompt = super().write_prompt(request)
        prompt.pop("max_tokens", None)
        return prompt | ({"return_token_ids": True} if "prompt" in prompt else {})

    def write_continuation(self) -> Json:
        return {"continue_final_message": True}

    def write_extensions(self, request: Request) -> Json:
        return {"ignore_eos": request.ignore_eos, "cache_salt": make_salt(request)}

    async def tokenize(self, connection: Connection, prompt: Prompt, options: str) -> tuple[str, tuple[Piece, ...]]:
        return await Backend.tokenize(self, connection, prompt, options)
