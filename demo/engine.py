"""The protocol of an engine, which turns requests into events; its status, its load, its places and its model's card.

Knows no engine, and nothing of models, HTTP or pages.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from demo.errors import BadRequest, DemoError, Overloaded
from demo.events import Event
from demo.request import Prompt, Request

PlainPrompts: TypeAlias = Literal["chat", "raw"]


@dataclass(frozen=True, slots=True)
class Piece:
    """One token of a text: its characters `text[start:stop]`."""

    id: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class ModelCard:
    """The model, for the page's caption and the API's /info. `rate` is one stream's decode tokens/s, where known."""

    model_id: str
    revision: str | None
    source: Literal["embedded", "hub", "folder", "gguf", "recorded", "endpoint"]
    device: str
    dtype: str
    max_input_tokens: int
    max_total_tokens: int
    max_new_tokens: int | None = None  # of one answer; None: what max_total_tokens leaves
    rate: float | None = None
    plain_prompts: PlainPrompts = "raw"  # how the API gives it plain text: as a user's message, or unchanged
    has_chat_template: bool = True  # whether it answers conversations
    control_tokens: frozenset[str] = frozenset()  # a text that holds one of them is not plain
    costs_quota: bool = False  # each run uses up GPU time of the visitor's account
    has_logprobs: bool = True  # False: an engine elsewhere that tells no log-probabilities
    has_top_ids: bool = True  # whether the ids of alternatives are known


@dataclass(frozen=True, slots=True)
class Loading:
    """The model loads: `step` in words, its progress from 0 to 1, and the `failure` after which it is loaded again."""

    step: str
    fraction: float | None = None
    failure: DemoError | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """The engine answers requests."""

    card: ModelCard


@dataclass(frozen=True, slots=True)
class Broken:
    """The engine answers no request; `error` says why. Loading is tried again at `retry_at`; None: never."""

    error: DemoError
    retry_at: float | None = None


Status: TypeAlias = Loading | Ready | Broken


@dataclass(frozen=True, slots=True)
class Load:
    """Requests that run and that wait, their limit, and the seconds without a step while there is work."""

    running: int
    waiting: int
    limit: int
    stalled: float


class Log(Protocol):
    """The log of one run. Events that are appended together are read together."""

    def __call__(self, *events: Event) -> None:
        """Append the events. Never blocks."""


class Ticket(Protocol):
    """An admitted request, which can be cancelled."""

    def cancel(self) -> None:
        """Stop the work: at most one more token is computed. No effect after the end."""

    def find_remaining(self) -> float | None:
        """Seconds until the request is expected to end; None where the engine does not know."""
        return None


class Engine(Protocol):
    """Turns requests into events: the local model, recorded runs, or a script in a test."""

    @property
    def status(self) -> Status:
        """Whether the engine is loading, ready or broken, now."""

    @property
    def load(self) -> Load:
        """The load, now."""

    def admit(self) -> None:
        """Raise Overloaded or NotReady where `submit` would now raise it for every request."""

    def find_wait(self, client: str, places: int = 1) -> float | None:
        """Seconds until `client` is expected to find so many places free; None where the engine does not know."""
        return None

    def tokenize(self, prompt: Prompt, options: str = "{}") -> tuple[str, tuple[Piece, ...]]:
        """The text that the model would read, with the chat template applied to a conversation, and its tokens.

        `options` are variables for the template, as in a Request.
        Raises NotReady, or BadRequest where the template refuses the conversation.
        """

    def submit(self, request: Request, log: Log) -> Ticket:
        """Admit one request, as `submit_all`."""
        return self.submit_all([request], [log])[0]

    def submit_all(self, requests: Sequence[Request], logs: Sequence[Log]) -> Sequence[Ticket]:
        """Admit all of `requests` or none, in one step, or raise BadRequest, Overloaded or NotReady before any event.

        BadRequest where they can never fit. Where some are refused, at no moment do the others hold a place that
        another client could have.

        The engine's threads then append to each request's own of `logs`: Started, Tokens, and always exactly one Done
        or Failed at the end. A Done that follows from the last Token is appended together with it.
        """

    def close(self) -> None:
        """End every run with a final event and stop. Returns when the engine's thread has ended."""


def require_fit(asked: int, places: int, owner: str = "this server has at most", rest: str = "") -> None:
    """Raise BadRequest where the `asked` requests of one call are more than the `places` there can be for them."""
    if asked > places:
        counted = f"{places} place{'s' if places != 1 else ''}{rest}"
        raise BadRequest(
            f"{asked} answers are asked for at once, and {owner} {counted}: ask for fewer choices or prompts in one "
            "request."
        )


def require_free(asked: int, taken: int, places: int, where: str = "") -> None:
    """Raise Overloaded where fewer than `asked` of the `places` are free, since `taken` are not."""
    if taken + asked > places:
        raise Overloaded(
            f"Model is overloaded: {taken} requests are being answered{where}, which is the limit. "
            "Try again in a few seconds."
        )
