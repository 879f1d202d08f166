"""OpenAI's dialect as any compatible server speaks it: what every kind of server behind `--endpoint` extends.

It has no ids, and only what OpenAI itself documents. A request is written in it, and its events are read as chunks.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Final, NamedTuple

from demo.engine import ModelCard, Piece
from demo.engines.endpoint.chunk import Chunk, Entry
from demo.engines.endpoint.connection import Connection, Json
from demo.errors import BadRequest, NotReady
from demo.events import Candidate, FinishReason
from demo.reasoning import OPENING
from demo.request import Prompt, Request, Sampling, TokenIds, find_begun

# A stop is the end token, where no stop string is found here.
FINISHES: Final[dict[str, FinishReason]] = {
    **dict.fromkeys(("stop", "eos_token", "stop_sequence"), "eos_token"),
    "length": "length",
}
OPENAI: Final = {name: name for name in ("temperature", "top_p", "frequency_penalty", "presence_penalty")}
OFF: Final = {"top_k": -1, "top_p": 1.0, "typical_p": 1.0, "min_p": 0.0}  # on the wire, where a request has None
UNSENT: Final = {"do_sample", "seed"}


class Call(NamedTuple):
    path: str
    body: Json


@dataclass(frozen=True, slots=True)
class Backend:
    """A server of one kind, with the model of `card`. What it can't do exactly is refused, never left out.

    A subclass adds what its kind extends the dialect by.
    `seed_bits` is how many it reads of a seed; 0: it draws its own. `includes_stops`: it is given the stop strings,
    and its text includes the one that it stops at; else they are found here alone, and the connection is closed.
    """

    title: ClassVar[str] = "an OpenAI-compatible server"
    sampling_names: ClassVar[Mapping[str, str]] = OPENAI  # Sampling's fields that it takes, with its own names
    seed_bits: ClassVar[int] = 63
    includes_stops: ClassVar[bool] = False
    truncates: ClassVar[bool] = False
    ignores_eos: ClassVar[bool] = False
    chooses_cache: ClassVar[bool] = False
    continues: ClassVar[bool] = False  # a last message of the assistant, which is not answered
    takes_template_options: ClassVar[bool] = False  # `chat_template_kwargs`
    has_logprobs: ClassVar[bool] = True
    has_top_ids: ClassVar[bool] = False
    counts_tokens: ClassVar[bool] = False  # whether `usage` counts the tokens of the answer, and no hidden ones
    takes_ids: ClassVar[bool] = False
    fits_by_itself: ClassVar[bool] = False  # whether a completion without `max_tokens` is as long as fits
    stop_option: ClassVar[str | None] = None  # set with stop strings, so that the text includes them
    figures_key: ClassVar[str] = "metrics"

    card: ModelCard
    model: str
    tells_reasoning: bool = False  # apart from the answer
    opens_reasoning: bool = False  # its chat template ends inside the reasoning, whose end it leaves in the text

    def write(self, request: Request, seed: int | None) -> Call:
        """The call that streams the answer. Raises BadRequest for what can't be asked of this kind."""
        self.check(request)
        body: Json = {
            "model": self.model,
            **self.write_prompt(request),
            **self.write_sampling(request.sampling),
            **self.write_extensions(request),
            "stream": True,
            "stream_options": self.write_stream_options(),
        }
        if request.stop and self.is_given_stops(request):
            body["stop"] = list(request.stop)
            if self.stop_option:
                body[self.stop_option] = True
        if request.max_new_tokens is not None:
            body["max_tokens"] = request.max_new_tokens
        if seed is not None and request.sampling.is_random:
            body["seed"] = seed
        return Call("/v1/chat/completions" if "messages" in body else "/v1/completions", body)

    def write_prompt(self, request: Request) -> Json:
        """The prompt, and how many log-probabilities are asked for: they also tell the tokens of a chunk apart."""
        if isinstance(request.prompt, str):
            self._refuse(
                request.max_new_tokens is None and not self.fits_by_itself, "an answer of any length to a text"
            )
            return {"prompt": request.prompt, **self.write_completion_logprobs(request.top_n_tokens)}
        if isinstance(request.prompt, TokenIds):
            self._refuse(not self.takes_ids, "token ids as a prompt")
            return {"prompt": list(request.prompt.ids), **self.write_completion_logprobs(request.top_n_tokens)}
        conversation = self.write_conversation(request.prompt, request.template_options)
        return {**conversation, **self.write_chat_logprobs(request.top_n_tokens)}

    def write_conversation(self, prompt: Prompt, options: str) -> Json:
        """The messages, with what the chat template is given beside them."""
        continued = self.write_continuation() if is_continued(prompt) else {}
        return {"messages": write_messages(prompt), **write_options(options), **continued}

    def write_chat_logprobs(self, top: int) -> Json:
        return {"logprobs": True, "top_logprobs": top} if self.card.has_logprobs else {}

    def write_completion_logprobs(self, top: int) -> Json:
        return {"logprobs": top} if self.card.has_logprobs else {}

    def write_continuation(self) -> Json:
        """What says that the last message is continued."""
        return {}

    def write_extensions(self, request: Request) -> Json:
        return {}

    def write_stream_options(self) -> Json:
        return {"include_usage": True}

    def is_given_stops(self, request: Request) -> bool:
        """Whether the engine ends the answer at a stop string by itself."""
        return self.includes_stops

    def check(self, request: Request) -> None:
        """Raise BadRequest for what this kind can't do exactly."""
        self._refuse(request.prompt_logprobs, "the log-probabilities of a prompt's tokens while it streams")
        self._refuse(request.truncate is not None and not self.truncates, "`truncate`")
        self._refuse(request.ignore_eos and not self.ignores_eos, "`ignore_eos`")
        self._refuse(not request.cache_prompt and not self.chooses_cache, "`cache_prompt`")
        self._refuse(request.top_n_tokens > 0 and not self.card.has_logprobs, "the likeliest alternatives")
        self.check_options(request.template_options)
        self._refuse(is_continued(request.prompt) and not self.continues, "the continuation of an answer")
        if (seed := request.sampling.seed) is not None:
            self._refuse(not self.seed_bits, "`seed`")
            self._refuse(seed >= 2**self.seed_bits, f"a `seed` of more than {self.seed_bits} bits")
        if (most := self.card.max_new_tokens) is not None and (request.max_new_tokens or 0) > most:
            raise BadRequest(f"An answer has at most {most} tokens here: ask for fewer than {request.max_new_tokens}.")

    def check_options(self, options: str) -> None:
        """Raise BadRequest for variables of the chat template that this kind does not take."""
        self._refuse(options != "{}" and not self.takes_template_options, "variables of the chat template")

    def write_sampling(self, sampling: Sampling) -> Json:
        """All sampling parameters, also those at their default: servers take another from a model's files."""
        written: Json = {}
        for field in fields(Sampling):
            value, name = getattr(sampling, field.name), self.sampling_names.get(field.name)
            if name is not None:
                written[name] = OFF[field.name] if value is None else value
            elif field.name not in UNSENT:
                self._refuse(value != field.default, f"`{field.name}`")
        if not sampling.is_random:
            written["temperature"] = 0.0
        return written

    def read(self, event: Json) -> Chunk:
        """What an event says."""
        choices = event.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
        usage, logprobs = find_dict(event, "usage"), find_dict(choice, "logprobs")
        entries, ids = read_entries(logprobs)
        prompt_ids = event.get("prompt_token_ids") or choice.get("prompt_token_ids") or ()
        reasoning, content = read_texts(choice)
        return Chunk(
            text=reasoning + content,
            reasoned=len(reasoning),
            ids=tuple(choice.get("token_ids") or ids),
            entries=entries,
            count=self.read_count(event, usage),
            prompt=tuple(prompt_ids),
            input_tokens=usage.get("prompt_tokens") or len(prompt_ids) or None,
            cached_tokens=find_dict(usage, "prompt_tokens_details").get("cached_tokens"),
            finish=self.read_finish(choice),
            stop=stop if isinstance(stop := choice.get("stop_reason"), str) else None,
            figures=read_numbers(event.get(self.figures_key)),
        )

    def read_count(self, event: Json, usage: Json) -> int | None:
        """How many tokens the answer has by then, where that is told."""
        return usage.get("completion_tokens") if self.counts_tokens else None

    def read_finish(self, choice: Json) -> FinishReason | None:
        return FINISHES.get(choice.get("finish_reason") or "")

    async def is_opened(self, connection: Connection, prompt: Prompt, options: str) -> bool:
        """Whether the chat template ends inside a tag of reasoning. Raises what `tokenize` raises."""
        text, _ = await self.tokenize(connection, prompt, options)
        return text.removesuffix(find_begun(prompt)).rstrip().endswith(OPENING)

    async def tokenize(self, connection: Connection, prompt: Prompt, options: str) -> tuple[str, tuple[Piece, ...]]:
        """The text that the model would read, and its tokens, with `options` as variables of the chat template.

        Raises NotReady where this kind does not tell them.
        """
        raise NotReady(f"The engine behind this server, {self.title}, does not tell the tokens of a text.")

    def _refuse(self, wrong: bool, what: str) -> None:
        if wrong:
            raise BadRequest(f"The engine behind this server, {self.title}, does not support {what}: leave it out.")


def is_continued(prompt: Prompt) -> bool:
    """Whether a conversation ends with an answer that was begun."""
    return isinstance(prompt, tuple) and prompt[-1].role == "assistant"


def write_messages(prompt: Prompt) -> list[Json]:
    assert isinstance(prompt, tuple)
    turns = [{"role": each.role, "content": each.content, "reasoning_content": each.reasoning} for each in prompt]
    return [{name: value for name, value in turn.items() if value is not None} for turn in turns]


def write_options(options: str) -> Json:
    """The field of variables for the chat template; none where there are none."""
    variables = json.loads(options)
    return {"chat_template_kwargs": variables} if variables else {}


def read_texts(choice: Json) -> tuple[str, str]:
    """The pieces of what the server sorts out as the model's reasoning, and of its answer, which follows it."""
    delta = find_dict(choice, "delta")
    reasoning = delta.get("reasoning_content") or delta.get("reasoning") or ""
    return str(reasoning), str(delta.get("content") or choice.get("text") or "")


def read_entries(logprobs: Json) -> tuple[tuple[Entry, ...], tuple[int, ...]]:
    """The tokens of either route's log-probabilities, and their ids where a server writes them there."""
    content = logprobs.get("content")
    if isinstance(content, list):
        ids = tuple(each["id"] for each in content if isinstance(each.get("id"), int))
        return tuple(map(_read_entry, content)), ids if len(ids) == len(content) else ()
    texts, scores, tops = (logprobs.get(name) or [] for name in ("tokens", "token_logprobs", "top_logprobs"))
    tops = [*tops, *[None] * (len(texts) - len(tops))]
    entries = [
        Entry(text.encode(errors="replace"), score, tuple(_read_top(top or {})))
        for text, score, top in zip(texts, scores, tops, strict=False)
    ]
    return tuple(entries), ()


def _read_entry(entry: Json) -> Entry:
    raw: Any = entry.get("bytes")
    encoded = str(entry.get("token") or "").encode(errors="replace") if raw is None else bytes(raw)
    top = [
        Candidate(each.get("id"), each["token"], each["logprob"], special=False)
        for each in entry.get("top_logprobs") or []
    ]
    return Entry(encoded, entry.get("logprob"), tuple(top))


def _read_top(top: dict[str, float]) -> list[Candidate]:
    return [Candidate(None, text, logprob, special=False) for text, logprob in top.items()]


def read_numbers(figures: object) -> tuple[tuple[str, float], ...]:
    """The numbers of a JSON object, by their names."""
    if not isinstance(figures, Mapping):
        return ()
    return tuple(
        (str(name), float(value))
        for name, value in figures.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    )


def locate_pieces(ids: Sequence[int], raws: Sequence[bytes]) -> tuple[str, tuple[Piece, ...]]:
    """The text of tokens by their bytes, and their places in it; a part of a character has the whole one's place."""
    text = b"".join(raws).decode(errors="replace")
    starts = [index for index, character in enumerate(text) for _ in character.encode()]
    pieces, at = [], 0
    for id, raw in zip(ids, raws, strict=True):
        own = starts[at : at + len(raw)]
        begin = own[0] if own else (starts[at - 1] + 1 if at else 0)
        pieces.append(Piece(id, begin, own[-1] + 1 if own else begin))
        at += len(raw)
    return text, tuple(pieces)


def find_dict(value: Mapping[str, Any], name: str) -> Json:
    """The object of that name; empty where there is none."""
    found = value.get(name)
    return found if isinstance(found, dict) else {}
