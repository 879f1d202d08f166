"""llama.cpp's servers: OpenAI's routes with llama.cpp's samplers.

llama-server does not send the half of a character, nor the end token: its running count tells that they were there.
"""

from typing import Final

from demo.engine import Piece
from demo.engines.endpoint.backend import OPENAI, Backend, find_dict, locate_pieces, write_messages, write_options
from demo.engines.endpoint.connection import Connection, Json
from demo.request import Prompt, Request

NAMES: Final = OPENAI | {"top_k": "top_k", "min_p": "min_p", "repetition_penalty": "repeat_penalty"}
# In the order of llama-server's own sampler; llama.cpp's default takes the temperature last.
SAMPLERS: Final = ["penalties", "temperature", "top_k", "top_p", "typ_p", "min_p"]


class LlamaServerBackend(Backend):
    """llama-server, which takes its own parameters too and writes ids among log-probabilities.

    Its slots reuse the cache of whichever prompt begins alike: it is not kept apart for each client.
    """

    title = "llama-server"
    sampling_names = NAMES | {"typical_p": "typical_p"}
    seed_bits = 31
    ignores_eos = True
    chooses_cache = True
    continues = True
    takes_template_options = True
    fits_by_itself = True
    has_top_ids = True
    figures_key = "timings"

    def write_chat_logprobs(self, top: int) -> Json:
        return {"logprobs": True, "top_logprobs": max(top, 1)}  # none would switch them off

    def write_completion_logprobs(self, top: int) -> Json:
        return {"n_probs": max(top, 1)}

    def write_extensions(self, request: Request) -> Json:
        return {
            "samplers": SAMPLERS,
            "repeat_last_n": -1,
            "ignore_eos": request.ignore_eos,
            "cache_prompt": request.cache_prompt,
            "timings_per_token": True,
        }

    def read_count(self, event: Json, usage: Json) -> int | None:
        count = find_dict(event, "timings").get("predicted_n", usage.get("completion_tokens"))
        return count if isinstance(count, int) else None

    async def tokenize(self, connection: Connection, prompt: Prompt, options: str) -> tuple[str, tuple[Piece, ...]]:
        text = prompt if isinstance(prompt, str) else await self._apply_template(connection, prompt, options)
        special = isinstance(prompt, str)
        asked = {"content": text, "with_pieces": True, "add_special": special, "parse_special": not special}
        tokens = (await connection.ask("/tokenize", asked))["tokens"]
        raws = [each["piece"].encode() if isinstance(each["piece"], str) else bytes(each["piece"]) for each in tokens]
        return locate_pieces([each["id"] for each in tokens], raws)

    async def _apply_template(self, connection: Connection, prompt: Prompt, options: str) -> str:
        body = {"messages": write_messages(prompt), **write_options(options)}
        reply = await connection.ask("/apply-template", body)
        return str(reply["prompt"])


class LlamaCppPythonBackend(Backend):
    """llama-cpp-python, which has no route of its own. It is told every sampler: its defaults are not neutral.

    It breaks answers off for other requests; `--interrupt_requests false` makes it queue them. Asked for
    log-probabilities it drops characters of several tokens.
    """

    title = "llama-cpp-python"
    sampling_names = NAMES
    seed_bits = 31
    has_logprobs = False
