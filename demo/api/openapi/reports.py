"""The shapes of replies that tell how something stands: the server, a text's tokens, a job, an inbox."""

from typing import Literal

from pydantic import BaseModel, Field

from demo.api.openapi.replies import StreamDetails, StreamTimings, TokenInfo
from demo.events import PlainPrompts


class Health(BaseModel):
    """A server that can answer."""

    status: Literal["ok"]
    running: int
    waiting: int
    limit: int


class Info(BaseModel):
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
    validation_workers: int
    max_client_batch_size: int
    plain_prompts: PlainPrompts = Field(description="how plain text is read: as a user's message, or raw")
    watermark: str
    router: str
    version: str


class ModelEntry(BaseModel):
    """A model that can be asked for."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    root: str


class Models(BaseModel):
    """OpenAI's list."""

    object: Literal["list"]
    data: list[ModelEntry]


class TextToken(BaseModel):
    """A token of a text, which is `text[start:stop]` of it, in characters."""

    id: int
    text: str
    start: int
    stop: int


class TokenizedChat(BaseModel):
    """A conversation as the model reads it."""

    tokenize_response: list[TextToken]
    templated_text: str


class JobToken(TokenInfo):
    """A token of a job, with its place."""

    index: int


class WayReport(BaseModel):
    """What it took to bring the answer to its reader one way."""

    requests: int
    empty_replies: int = Field(description="replies without a token that the reader had not had")
    request_bytes: int | None = Field(
        description="of HTTP, as counted on this server's connection: request line, headers and body of each request"
    )
    reply_bytes: int | None = Field(description="likewise: status line, headers, body and its framing, of each reply")
    mean_staleness: float | None = Field(
        description="how long a token had been there when it was sent, in seconds, on average"
    )
    arrivals: list[tuple[float, int]] = Field(
        description="for each sending that brought something: seconds since the job was submitted, and how many "
        "tokens the reader then had"
    )


class WebhookAttempt(BaseModel):
    """One POST of a result."""

    at: float
    status: int | None
    error: str | None


class WebhookState(BaseModel):
    """How the delivery of a result stands."""

    url: str
    state: Literal["waiting", "delivered", "failed"]
    attempts: list[WebhookAttempt]
    report: WayReport | None = Field(description="once it has been accepted or given up")


class Report(BaseModel):
    """What each way to a job's answer took. Times by the engine's clock, in seconds since the job was submitted."""

    tokens: list[float] = Field(description="when each token was made")
    streamed: WayReport
    polled: WayReport
    webhook: WebhookState | None


class JobState(BaseModel):
    """A job, and what is new of it."""

    id: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    next: int = Field(description="the `since` to ask with next time")
    tokens: list[JobToken]
    generated_text: str | None
    details: StreamDetails | None
    error: str | None
    webhook_secret: str | None = Field(None, description="told once, when the job begins: what signs its webhook")


class InboxDelivery(BaseModel):
    """Something that was POSTed. `received` in Unix seconds."""

    received: float
    headers: dict[str, str]
    body: str


class Inbox(BaseModel):
    """What arrived, oldest first."""

    deliveries: list[InboxDelivery]


class CrowdAttempt(BaseModel):
    """One request of a client: when it was asked, when the first of its answer came, and with which status."""

    asked: float
    answered: float | None
    status: int | None


class CrowdVisit(BaseModel):
    """What one client of a crowd went through. Times in seconds since the crowd began, by the server's clock."""

    client: int
    outcome: Literal["served", "gave_up", "failed", "unfinished"]
    attempts: list[CrowdAttempt]
    admitted: float | None = Field(description="when the sandbox took it")
    started: float | None = Field(description="when it left the engine's queue")
    first_token: float | None = Field(description="when its client had its first text")
    end: float | None
    tokens: int
    waited: float | None = Field(description="from its first attempt to its first text: refusals and pauses included")
    timings: StreamTimings | None = Field(description="as its stream told them: milliseconds, by the engine's clock")
    error: str | None


class CrowdRefusal(BaseModel):
    """A response as it was received."""

    head: str
    body: str


class CrowdEvent(BaseModel):
    """Something that happened to a client of a crowd; first and last, to the crowd itself.

    `begun` comes with the plan, `limit` as it is held; `ended` with what each client went through.
    """

    event: Literal[
        "begun", "asked", "refused", "backing_off", "admitted", "first_token", "served", "gave_up", "failed", "ended"
    ]
    at: float = Field(description="seconds since the crowd began, by the server's clock")
    client: int | None = None
    attempt: int | None = None
    status: int | None = None
    error_type: str | None = None
    error: str | None = None
    retry_after: float | None = Field(None, description="seconds that the refusal's Retry-After asked for")
    pause: float | None = Field(None, description="seconds until the next attempt: never less than `retry_after`")
    started: float | None = None
    limit: int | None = None
    retry: bool | None = None
    attempts: int | None = Field(None, description="how often a client asks at most")
    max_new_tokens: int | None = None
    seed: int | None = None
    in_time: bool | None = Field(None, description="whether everyone was done before the crowd was sent home")
    clients: int | list[CrowdVisit] | None = Field(None, description="how many they are; at the end, their visits")
    refusal: CrowdRefusal | None = Field(None, description="the first 429")
