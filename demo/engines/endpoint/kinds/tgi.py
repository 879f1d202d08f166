"""text-generation-inference, and this server: plain texts in TGI's own dialect, conversations in OpenAI's."""

from collections.abc import Mapping
from typing import ClassVar, Final

from demo.engine import Piece
from demo.engines.endpoint.backend import Call, find_dict, read_numbers
from demo.engines.endpoint.chunk import Chunk, Entry, Finish
from demo.engines.endpoint.connection import Connection, Json
from demo.engines.endpoint.kinds.plain import FINISHES, PlainBackend, write_messages, write_options
from demo.events import Candidate
from demo.request import Prompt, Request, Sampling

NATIVE: Final = (
    *("temperature", "top_k", "top_p", "typical_p", "repetition_penalty", "frequency_penalty"),
    *("min_p", "presence_penalty"),
)


class TgiBackend(PlainBackend):
    """Its text includes the stop string that it stops at, and its event of a special token that token's text."""

    title: ClassVar[str] = "text-generation-inference"
    sampling_names: ClassVar[Mapping[str, str]] = {
        name: name for name in ("temperature", "top_p", "frequency_penalty")
    }  # of a conversation
    native_names: ClassVar[frozenset[str]] = frozenset(NATIVE[:6])
    native_finishes: ClassVar[Mapping[str, Finish]] = FINISHES
    includes_stops: ClassVar[bool] = True
    truncates: ClassVar[bool] = True
    continues: ClassVar[bool] = True
    counts_tokens: ClassVar[bool] = True
    has_top_ids: ClassVar[bool] = True

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
            value = getattr(sampling, name, None)
            if value != getattr(default, name, None):
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


def read_pieces(tokens: list[Json]) -> tuple[Piece, ...]:
    return tuple(Piece(each["id"], each["start"], each["stop"]) for each in tokens)
