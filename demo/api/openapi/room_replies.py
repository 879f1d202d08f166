"""The shapes of a room's replies and results: what its routes return, and what the OpenAPI document says of it."""

from typing import Annotated, Any, Literal, NotRequired, TypeAlias

from pydantic import Field
from typing_extensions import TypedDict

Kind: TypeAlias = Literal["race", "predict", "stop", "crowd"]
Phase: TypeAlias = Literal["predicting", "running", "guessing", "ended"]


class RoomOpened(TypedDict):
    """A room, for the teacher who opened it."""

    code: str
    key: Annotated[str, Field(description="the teacher's secret, sent as X-Room-Key")]
    url: Annotated[str, Field(description="where phones join")]
    qr: Annotated[str, Field(description="an SVG element: `url` as a QR code")]
    reachable: Annotated[bool, Field(description="false: only this machine can connect to the server")]
    language: str
    expires_in: Annotated[float, Field(description="seconds until it closes by itself")]


class ArmCounts(TypedDict):
    """The phones of each arm."""

    streamed: int
    whole: int


class RoundState(TypedDict):
    """A round, for the teacher; the phones are told their own `arm` in place of `arms`."""

    number: int
    kind: Kind
    phase: Phase
    prompt: str
    recorded: Annotated[bool, Field(description="a recorded run stands in for the model")]
    max_new_tokens: int
    tokens_per_second: float | None
    limit: Annotated[int | None, Field(description="of `crowd`: requests answered at once")]
    arms: ArmCounts | None


class ArmResults(TypedDict):
    """Felt seconds of one arm: mean and 95 % interval, null for fewer than two guesses."""

    n: int
    mean: float | None
    low: float | None
    high: float | None
    guesses: list[float]


class Arms(TypedDict):
    """Both arms."""

    streamed: ArmResults
    whole: ArmResults


class Difference(TypedDict):
    """Streamed minus whole, in felt seconds, with Welch's 95 % interval."""

    mean: float
    low: float
    high: float


class Sentence(TypedDict):
    """What the guesses say, as a key of the texts and the values in it."""

    key: Literal["felt_shorter", "felt_longer", "no_difference"]
    values: dict[str, float]


class Predictions(TypedDict):
    """When the first word would come and when the last, in seconds."""

    first: list[float]
    last: list[float]


class RoundResults(TypedDict):
    """What came of a round. The times are of its run, in seconds since it was asked for, by the engine's clock."""

    round: int
    kind: Kind
    prompt: str
    recorded: bool
    finish: str | None
    seconds: float | None
    ttft: float | None
    tokens: int
    arms: NotRequired[Arms]
    difference: NotRequired[Annotated[Difference | None, Field(description="null where an arm has fewer than 5")]]
    sentence: NotRequired[Sentence | None]
    predictions: NotRequired[Predictions]
    stopped: NotRequired[int]
    tokens_saved: NotRequired[int]
    seconds_saved: NotRequired[float]
    at_least: NotRequired[
        Annotated[bool, Field(description="everybody stopped, so nobody knows what more would have come")]
    ]
    served: NotRequired[int]
    refused: NotRequired[int]
    retries: NotRequired[int]


class RoomResults(TypedDict):
    """The results of all rounds that have ended."""

    results: list[RoundResults]


class PhoneJoined(TypedDict):
    """A phone's place in a room."""

    phone: Annotated[str, Field(description="the phone's secret id, a part of its further addresses")]
    number: int
    animal: str
    colour: str


class RoomEvent(TypedDict):
    """An event of a room; its name is in the line before, `state` first. Which fields there are depends on the name."""

    round: NotRequired[Any]
    text: NotRequired[str]
    tokens: NotRequired[int]
    seconds: NotRequired[float | None]
