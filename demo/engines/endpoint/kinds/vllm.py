"""vLLM, also behind Ray Serve and routers: OpenAI's dialect with ids, more samplers, and running counts.

SGLang has vLLM's extensions under other names.
"""

import hashlib
import secrets
from typing import Final

from demo.engine import Piece
from demo.engines.endpoint.backend import OPENAI, Backend, locate_pieces
from demo.engines.endpoint.connection import Connection, Json
from demo.engines.token_form import decode_form
from demo.errors import NotReady
from demo.request import Prompt, Request

SAMPLERS: Final = {name: name for name in ("top_k", "min_p", "repetition_penalty")}
SPACE: Final = "\N{LOWER ONE EIGHTH BLOCK}"  # SentencePiece's
SALT: Final = secrets.token_hex(16)  # of this process: nobody can ask which prefixes are cached


class VllmBackend(Backend):
    """Unknown fields are ignored there in silence, so every field here is one that vLLM documents."""

    title = "vLLM"
    sampling_names = OPENAI | SAMPLERS
    includes_stops = True
    stop_option = "include_stop_str_in_output"
    ignores_eos = True
    chooses_cache = True
    continues = True
    takes_template_options = True
    counts_tokens = True
    takes_ids = True
    fits_by_itself = True

    def write_prompt(self, request: Request) -> Json:
        prompt = super().write_prompt(request)
        return prompt | {"max_tokens": None} if "prompt" in prompt else prompt  # its default is 16

    def write_continuation(self) -> Json:
        return {"continue_final_message": True, "add_generation_prompt": False}

    def write_extensions(self, request: Request) -> Json:
        return {"return_token_ids": True, "ignore_eos": request.ignore_eos, "cache_salt": make_salt(request)}

    def write_stream_options(self) -> Json:
        return {"include_usage": True, "continuous_usage_stats": True}

    async def tokenize(self, connection: Connection, prompt: Prompt, options: str) -> tuple[str, tuple[Piece, ...]]:
        text = {"prompt": prompt} if isinstance(prompt, str) else self.write_conversation(prompt, options)
        reply = await connection.ask("/tokenize", {"model": self.model, "return_token_strs": True, **text})
        strings = reply.get("token_strs")
        if strings is None:
            raise NotReady(
                f"The engine behind this server, this version of {self.title}, does not tell texts of tokens."
            )
        return locate_pieces(reply["tokens"], [decode_form(each.replace(SPACE, " ")) for each in strings])


class RayServeBackend(VllmBackend):
    """vLLM's dialect through Ray's proxy, which may gather chunks for 50 ms."""

    title = "Ray Serve"


class SglangBackend(VllmBackend):
    """SGLang, which tells ids for plain texts alone.

    A seed counts only where it is started for deterministic inference, which it does not tell: it is refused.
    """

    title = "SGLang"
    stop_option = "no_stop_trim"
    seed_bits = 0
    fits_by_itself = False

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


def make_salt(request: Request) -> str:
    """Prompts are cached for each client alone, and for none where the request forbids it."""
    if not request.cache_prompt:
        return secrets.token_hex(16)
    return hashlib.sha256(f"{SALT}{request.client}".encode()).hexdigest()
