"""What a room's routes read: bodies; from the path and the headers the code, the key, the phone, the last event."""

from typing import Annotated, Final, Literal, TypeAlias

from fastapi import Header, Path
from pydantic import Field

from demo.api.dialects.body import Body
from demo.api.dialects.number_fields import WHOLE, Place, Rate
from demo.api.openapi.room_replies import Kind
from demo.room.round import Draw

MAX_PROMPT: Final = 2000  # characters
MAX_TOKENS: Final = 1024
MAX_LIMIT: Final = 64

Number: TypeAlias = Annotated[int, Field(ge=1, le=1_000_000, description="The round's number."), WHOLE]
Seconds: TypeAlias = Annotated[float, Field(ge=0, le=3600)]
Language: TypeAlias = Literal["en", "de", "fr"]
Code: TypeAlias = Annotated[str, Path(max_length=32, description="The room's code, in any case.")]
Key: TypeAlias = Annotated[
    str, Header(alias="X-Room-Key", max_length=128, description="The key that the room was opened with.")
]
Secret: TypeAlias = Annotated[str, Path(max_length=128, description="The phone's secret id.")]
LastSeen: TypeAlias = Annotated[
    Place | None, Header(alias="Last-Event-ID", description="The `id` of the last event that you have.")
]


class RoomRequest(Body):
    """The body of `/rooms`."""

    language: Language = Field(default="en", description="Of the phones' pages.")


class RoundRequest(Body):
    """The body that begins a round."""

    kind: Kind
    prompt: str | None = Field(
        default=None, min_length=1, max_length=MAX_PROMPT, description="Left out: one of the page's examples."
    )
    max_new_tokens: Annotated[int, Field(ge=4, le=MAX_TOKENS), WHOLE] = 128
    tokens_per_second: Rate | None = Field(default=None, description="The engine is slowed to it; null: its own speed.")
    arms: Draw = Field(default="random", description="`random`: drawn for each phone, balanced; or one arm for all.")
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT), WHOLE] | None = Field(
        default=None,
        description="Of `crowd`: how many are answered at once, at most a quarter of the server's places; null: the "
        "server's own limit.",
    )


class PhoneRequest(Body):
    """What a phone does in a round."""

    round: Number


class AnswerRequest(PhoneRequest):
    """What a phone answers: `felt` while guesses are asked for; `first` and `last` while predictions are."""

    felt: Seconds | None = Field(default=None, description="How long it felt.")
    first: Seconds | None = Field(default=None, description="When the first word will come.")
    last: Seconds | None = Field(default=None, description="When the last word will come.")
