"""text-generation-inference, and this server: plain texts in TGI's own dialect, conversations in OpenAI's."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from demo.engine import Piece
from demo.engines.endpoint.backend import (
    FINISHES,
    OPENAI,
    Backend,
    Call,
    find_dict,
    read_numbers,
    write_messages,
    write_options,
)
from demo.engines.endpoint.chunk import Chunk, Entry
from demo.engines.endpoint.connection import Connection, Json
from demo.engines.endpoint.kinds.vllm import SAMPLERS
from demo.events import Candidate, FinishReason
from demo.request import Prompt, Request, Sampling

NATIVE: Final = (
    *("temperature", "top_k", "top_p", "typical_p", "repetition_penalty", "frequency_penalty"),
    *("min_p", "presence_penalty"),
)
CONVERSATION: Final = {name: name for name in ("temperature", "top_p", "frequency_penalty")}  # of a conversation


class TgiBackend(Backend):
    """Its text includes the stop string that it stops at, and its event of a special token that token's text."""

    title = "text-generation-inference"
    sampling_names = CONVERSATION
    native_names: ClassVar[Sequence[str]] = NATIVE[:6]
    native_finishes: ClassVar[Mapping[str, FinishReason]] = FINISHES
    includes_stops = True
    truncates = True
    continues = True
    counts_tokens = True
    has_top_ids = True

    def write(self, request: Request, seed: int | None) -> Call:
        if not isinstance(request.prompt, str):
            self._refuse(request.truncate is not None, "`truncate` of a conversation")
            return super().write(request, seed)
        self.check(request)
        parameters = {
            **self.write_native_sampling(request.sampling),
            **self.write_native_extensions(request),
            "max_new_tokens": request.max_new_tokens,
            "seed": seed if request.sampling.is_random else None,
            "stop": list(request.stop) if self.is_given_stops(request) else [],
            "truncate": request.truncate,
            "top_n_tokens": request.top_n_tokens or None,
            "details": True,
        }
        return Call("/generate_stream", {"inputs": request.prompt, "parameters": parameters})

    def write_native_sampling(self, sampling: Sampling) -> Json:
        """TGI's: a parameter that has no effect is left out, since some of their neutral values are refused."""
        default = Sampling()
        written: Json = {"do_sample": sampling.is_random}
        for name in NATIVE:
            if (value := getattr(sampling, name)) != getattr(default, name):
                self._refuse(name not in self.native_names, f"`{name}`")
                written[name] = value
        return written

    def write_native_extensions(self, request: Request) -> Json:
        return {}

    def read(self, event: Json) -> Chunk:
        token = event.get("token")
        return self._read_native(event, token) if isinstance(token, dict) else super().read(event)

    def _read_native(self, event: Json, token: Json) -> Chunk:
        details = find_dict(event, "details")
        top = tuple(
            Candidate(each["id"], each["text"], each["logprob"], each["special"])
            for each in event.get("top_tokens") or ()
        )
        entry = Entry(token["text"].encode(), token["logprob"], top, token["special"])
        return Chunk(
            text="" if token["special"] else token["text"],
            ids=(token["id"],) if token["id"] is not None else (),
            entries=(entry,),
            count=details.get("generated_tokens"),
            input_tokens=details.get("input_length"),
            cached_tokens=details.get("cached_tokens"),
            finish=self.native_finishes.get(details.get("finish_reason") or ""),
            figures=read_numbers(details.get("timings")),
        )

    async def tokenize(self, connection: Connection, prompt: Prompt, options: str) -> tuple[str, tuple[Piece, ...]]:
        if isinstance(prompt, str):
            return prompt, read_pieces(await connection.ask("/tokenize", {"inputs": prompt}))
        body = {"model": self.model, "messages": write_messages(prompt), **write_options(options)}
        reply = await connection.ask("/chat_tokenize", body)
        return reply["templated_text"], read_pieces(reply["tokenize_response"])


class TokenStreamingBackend(TgiBackend):
    """Another instance of this server: TGI's dialect with all that this one adds to it.

    It cuts its text before a stop string by itself, and says that it did.
    """

    title = "token-streaming"
    sampling_names = OPENAI | SAMPLERS
    native_names = NATIVE[:7]
    native_finishes = FINISHES | {"stop_sequence": "stop_sequence"}
    stop_option = "include_stop_str_in_output"
    seed_bits = 64
    ignores_eos = True
    chooses_cache = True
    takes_template_options = True
    takes_ids = True

    def is_given_stops(self, request: Request) -> bool:
        # For a text it cuts before the stop string itself, and can't leave it in.
        return not (request.keeps_stop and isinstance(request.prompt, str))

    def write_sampling(self, sampling: Sampling) -> Json:
        written = super().write_sampling(sampling)
        return {name: value for name, value in written.items() if getattr(sampling, name) is not None}

    def write_native_extensions(self, request: Request) -> Json:
        return {"raw": True, "ignore_eos": request.ignore_eos, "cache_prompt": request.cache_prompt}

    def write_extensions(self, request: Request) -> Json:
        return {"ignore_eos": request.ignore_eos, "cache_prompt": request.cache_prompt, "return_token_ids": True}

    def read_finish(self, choice: Json) -> FinishReason | None:
        return "stop_sequence" if isinstance(choice.get("stop_reason"), str) else super().read_finish(choice)


def read_pieces(tokens: list[Json]) -> tuple[Piece, ...]:
    return tuple(Piece(each["id"], each["start"], each["stop"]) for each in tokens)
