"""What the delivery needs of a dialect, with what most dialects do."""

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

from demo.api.dialects.answer import Answer
from demo.api.dialects.errors import Json, write_openai
from demo.errors import DemoError
from demo.events import PromptProgress, Queued, Token


class Dialect(Protocol):
    """Writes answers in the JSON of one kind of client. Pure."""

    ending: ClassVar[bytes] = b""  # after the last event of a stream

    def chunk(self, index: int, answer: Answer, token: Token, is_last: bool) -> Json:
        """The event of one token of answer number `index`."""
        raise TypeError("the events of this dialect are not chunks of one token each")

    def progress(self, answer: Answer, progress: PromptProgress | Queued) -> Json | str | None:
        """The event, or the comment, for a wait or for a part of the prompt; None unless it was asked for."""
        return None

    def closing(self, answers: Sequence[Answer]) -> Sequence[Json]:
        """The events after the last token of all answers."""
        return ()

    def whole(self, answers: Sequence[Answer]) -> Any:
        """The body of a whole reply."""

    def headers(self, answers: Sequence[Answer]) -> dict[str, str]:
        """The headers of a whole reply."""

    def error(self, error: DemoError) -> Json:
        """The body of an error, or the event that ends a stream with it."""
        return write_openai(error)
