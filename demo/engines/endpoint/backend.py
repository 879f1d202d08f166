"""What every kind of server behind `--endpoint` offers: a request written in its dialect, its events read as chunks."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Final, NamedTuple

from demo.engine import ModelCard, Piece
from demo.engines.endpoint.chunk import Chunk
from demo.engines.endpoint.connection import Connection, Json
from demo.errors import BadRequest, NotReady
from demo.reasoning import OPENING
from demo.request import Prompt, Request, Sampling, find_begun

OFF: Final = {"top_k": -1, "top_p": 1.0, "typical_p": 1.0, "min_p": 0.0}  # on the wire, where a request has None
UNSENT: Final = {"do_sample", "seed"}


class Call(NamedTuple):
    path: str
    body: Json


@dataclass(frozen=True, slots=True)
class Backend(ABC):
    """A server of one kind, with the model of `card`. What it can't do exactly is refused, never left out.

    `seed_bits` is how many it reads of a seed; 0: it draws its own. `includes_stops`: it is given the stop strings,
    and its text includes the one that it stops at; else they are found here alone, and the connection is closed.
    """

    title: ClassVar[str]
    sampling_names: ClassVar[Mapping[str, str]]  # Sampling's fields that it takes, with its own names
    seed_bits: ClassVar[int] = 63
    includes_stops: ClassVar[bool] = False
    truncates: ClassVar[bool] = False
    ignores_eos: ClassVar[bool] = False
    chooses_cache: ClassVar[bool] = False
    continues: ClassVar[bool] = False  # a last message of the assistant, which is not answered
    takes_template_options: ClassVar[bool] = False  # `chat_template_kwargs`
    has_logprobs: ClassVar[bool] = True
    has_top_ids: ClassVar[bool] = False

    card: ModelCard
    model: str
    tells_reasoning: bool = False  # apart from the answer
    opens_reasoning: bool = False  # its chat template ends inside the reasoning, whose end it leaves in the text

    @abstractmethod
    def write(self, request: Request, seed: int | None) -> Call:
        """The call that streams the answer. Raises BadRequest for what can't be asked of this kind."""

    @abstractmethod
    def read(self, event: Json) -> Chunk:
        """What an event says."""

    async def is_opened(self, connection: Connection, prompt: Prompt, options: str) -> bool:
        """Whether the chat template ends inside a tag of reasoning. Raises what `tokenize` raises."""
        text, _ = await self.tokenize(connection, prompt, options)
        return text.removesuffix(find_begun(prompt)).rstrip().endswith(OPENING)

    async def tokenize(self, connection: Connection, prompt: Prompt, options: str) -> tuple[str, tuple[Piece, ...]]:
        """The text that the model would read, and its tokens, with `options` as variables of the chat template.

        Raises NotReady where this kind does not tell them.
        """
        raise NotReady(f"The engine behind this server, {self.title}, does not tell the tokens of a text.")

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

    def _refuse(self, wrong: bool, what: str) -> None:
        if wrong:
            raise BadRequest(f"The engine behind this server, {self.title}, does not support {what}: leave it out.")


def is_continued(prompt: Prompt) -> bool:
    """Whether a conversation ends with an answer that was begun."""
    return isinstance(prompt, tuple) and prompt[-1].role == "assistant"


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
