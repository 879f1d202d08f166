"""The shapes of replies that tell how something stands: the server, a text's tokens, a job, an inbox."""

from typing import Literal

from pydantic import BaseModel, Field

from demo.api.replies import StreamDetails, TokenInfo


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


class JobReport(BaseModel):
    """What it took to get the answer to its reader, before this reply. Staleness in seconds."""

    requests: int
    empty_replies: int
    bytes: int
    mean_staleness: float | None


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
    report: JobReport | None


class JobState(BaseModel):
    """A job, and what is new of it."""

    id: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    next: int = Field(description="the `since` to ask with next time")
    tokens: list[JobToken]
    generated_text: str | None
    details: StreamDetails | None
    error: str | None
    webhook: WebhookState | None
    webhook_secret: str | None = Field(None, description="told once, when the job begins: what signs its webhook")
    report: JobReport


class InboxDelivery(BaseModel):
    """Something that was POSTed. `received` in Unix seconds."""

    received: float
    headers: dict[str, str]
    body: str


class Inbox(BaseModel):
    """What arrived, oldest first."""

    deliveries: list[InboxDelivery]
