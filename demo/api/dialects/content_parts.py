"""The text of a message in OpenAI's dialects, where it comes in parts. Pure."""

from abc import abstractmethod
from collections.abc import Iterable
from typing import Literal, TypeAlias

from demo.api.dialects.ignored import Body
from demo.errors import BadRequest
from demo.request import Role

GivenRole: TypeAlias = Literal["system", "developer", "user", "assistant"]


class Part(Body):
    """One part of a message."""

    type: str
    text: str | None = None

    @property
    @abstractmethod
    def content(self) -> str | None:
        """Its text; None for a part of another type."""


def join_parts(parts: Iterable[Part]) -> str:
    """The text of a message. Raises BadRequest for a part that is no text."""
    texts = []
    for part in parts:
        if part.content is None:
            raise BadRequest(f"Content of type `{part.type}` is not available on this server: send text only.")
        texts.append(part.content)
    return "".join(texts)


def read_role(role: GivenRole) -> Role:
    """The engine's role: `developer` is OpenAI's newer `system`."""
    return "system" if role == "developer" else role
