"""The shapes of replies about a state: the server's, a text's tokens, a job's, an inbox's, a crowd's."""

from dataclasses import dataclass, field
from typing import Annotated, Final, Literal, NotRequired, TypeAlias

from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from demo.api.openapi.replies import StreamDetails, StreamTimings, TokenInfo
from demo.engine import PlainPrompts

# A field with a default is sent all the same.
ALL_REQUIRED: Final = ConfigDict(json_schema_serialization_defaults_required=True)


class Health(TypedDict):
    """A server that can answer."""

    status: Literal["ok"]
    running: int
    waiting: int
    limit: int
    tabs: NotRequired[int]  # of the page that are open; with a page only
    tab_limit: NotRequired[int]


class Reload(TypedDict):
    """The model is being loaded again."""

    status: Literal["loading"]


class Info(TypedDict):
    """TGI's /info."""

    model_id: str
    model_sha: str | None
    model_dtype: str
    model_device_type: str
    model_pipeline_tag: str
    max_concurrent_requests: int
    max_best_of: int
    max_stop_sequences: int
    max_input_tokens: int
    max_total_tokens: int
    max_new_tokens: Annotated[int | None, Field(description="of one answer; null: what max_total_tokens leaves")]
    validation_workers: int
    max_client_batch_size: int
    plain_prompts: Annotated[PlainPrompts, Field(description="how plain text is read: as a user's message, or raw")]
    costs_quota: Annotated[bool, Field(description="whether each run uses up GPU time of the visitor's account")]
    watermark: str
    router: str
    version: str


class ModelEntry(TypedDict):
    """A model that can be asked for."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    root: str
    max_model_len: Annotated[int, Field(description="vLLM's: tokens of prompt and answer together")]


class Models(TypedDict):
    """OpenAI's list."""

    object: Literal["list"]
    data: list[ModelEntry]


class TextToken(TypedDict):
    """A token of a text, which is `text[start:stop]` of it, in characters."""

    id: int
    text: str
    start: int
    stop: int


class TokenizedChat(TypedDict):
    """A conversation as the model reads it."""

    tokenize_response: list[TextToken]
    templated_text: str


class JobToken(TokenInfo):
    """A token of a job, with its index."""

    index: int


class WayReport(TypedDict):
    """What one way of delivery of a job's answer took."""

    requests: int
    empty_replies: Annotated[int, Field(description="replies without a token that is new to the reader")]
    request_bytes: Annotated[
        int | None,
        Field(
            description="HTTP bytes, counted at this server's sockets: request line, headers and body of each request"
        ),
    ]
    reply_bytes: Annotated[
        int | None, Field(description="likewise: status line, headers, body and chunk framing of each reply")
    ]
    mean_staleness: Annotated[
        float | None, Field(description="mean age of a token when it was sent, in seconds since it was sampled")
    ]
    arrivals: Annotated[
        list[tuple[float, int]],
        Field(
            description="for each reply with a new token: seconds since the job was submitted, and how many tokens the "
            "reader then had"
        ),
    ]


class WebhookAttempt(TypedDict):
    """One POST of a result."""

    at: float
    status: int | None
    error: str | None


class WebhookState(TypedDict):
    """The delivery of a result."""

    url: str
    state: Literal["waiting", "delivered", "failed"]
    attempts: list[WebhookAttempt]
    report: Annotated[
        WayReport | None, Field(description="null until the receiver accepted it or the last attempt failed")
    ]


class Report(TypedDict):
    """What each way to a job's answer took. Times by the engine's clock, in seconds since the job was submitted."""

    tokens: Annotated[list[float], Field(description="when each token was sampled")]
    streamed: WayReport
    polled: WayReport
    webhook: WebhookState | None


State: TypeAlias = Literal["queued", "running", "done", "failed", "cancelled"]


class JobResult(TypedDict):
    """The state of a job, and its result once it is done."""

    state: State
    generated_text: str | None
    details: StreamDetails | None
    error: str | None


class JobState(JobResult):
    """A job, and its new tokens."""

    id: str
    next: Annotated[int, Field(description="the `since` of the next poll")]
    tokens: list[JobToken]
    webhook_secret: NotRequired[
        Annotated[str, Field(description="only in the reply that begins the job: the key that signs its webhook")]
    ]


class InboxDelivery(TypedDict):
    """Something that was POSTed. `received` in Unix seconds."""

    received: float
    headers: dict[str, str]
    body: str


class Inbox(TypedDict):
    """What arrived, oldest first."""

    deliveries: list[InboxDelivery]


@dataclass(slots=True)
class CrowdAttempt:
    """One request of a client: when it was sent, when the head of its reply arrived, and with which status."""

    __pydantic_config__ = ALL_REQUIRED

    asked: float
    answered: float | None = None
    status: int | None = None


Outcome: TypeAlias = Literal["served", "gave_up", "failed", "unfinished"]


@dataclass(slots=True)
class CrowdVisit:
    """What happened to one client of a crowd. Times in seconds since the crowd began, by the server's clock."""

    __pydantic_config__ = ALL_REQUIRED

    client: int
    outcome: Outcome = "unfinished"
    attempts: list[CrowdAttempt] = field(default_factory=list)
    admitted: Annotated[float | None, Field(description="when the sandbox admitted it")] = None
    started: Annotated[
        float | None,
        Field(description="when it left the engine's queue; null where an engine elsewhere does not tell it"),
    ] = None
    first_token: Annotated[float | None, Field(description="when its client received its first text")] = None
    end: float | None = None
    tokens: int = 0
    waited: Annotated[
        float | None, Field(description="from its first attempt to its first text: refusals and pauses included")
    ] = None
    timings: Annotated[
        StreamTimings | None, Field(description="those of its stream: milliseconds, by the engine's clock")
    ] = None
    error: str | None = None


class CrowdRefusal(TypedDict):
    """A response as it was received."""

    head: str
    body: str


CrowdEventName: TypeAlias = Literal[
    "begun", "asked", "refused", "backing_off", "admitted", "first_token", "served", "gave_up", "failed", "ended"
]


class CrowdEventFields(TypedDict, total=False):
    """What an event of a crowd says beside its name and its time: each event some of these."""

    client: int
    attempt: int
    status: int
    error_type: str
    error: str
    retry_after: Annotated[float, Field(description="seconds that the refusal's Retry-After asked for")]
    pause: Annotated[float, Field(description="seconds until the next attempt: never less than `retry_after`")]
    started: float | None
    limit: int
    retry: bool
    attempts: Annotated[int, Field(description="the most attempts of one client")]
    max_new_tokens: int
    seed: int | None
    in_time: Annotated[bool, Field(description="whether every client had ended before the time limit")]
    clients: Annotated[
        int | list[CrowdVisit], Field(description="how many clients there are; at the end, their visits")
    ]
    refusal: Annotated[CrowdRefusal | None, Field(description="the first 429")]


class CrowdEvent(CrowdEventFields):
    """Something that happened to a client of a crowd; the first and the last event are about the crowd itself.

    `begun` carries the plan, with the `limit` that holds; `ended` carries the visit of each client.
    """

    event: CrowdEventName
    at: Annotated[float, Field(description="seconds since the crowd began, by the server's clock")]
