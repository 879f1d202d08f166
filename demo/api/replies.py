"""The shapes of all replies, for the OpenAPI document and for whoever checks that it is true."""

from typing import Literal

from pydantic import BaseModel, Field


class NativeError(BaseModel):
    """TGI's error."""

    error: str
    error_type: str


class OpenAIErrorText(BaseModel):
    """What OpenAI's clients read of an error."""

    message: str
    type: str
    param: str | None
    code: int


class OpenAIError(BaseModel):
    """OpenAI's error, with TGI's type beside it."""

    error: OpenAIErrorText
    error_type: str


class TokenInfo(BaseModel):
    """A generated token. `text` is what became readable with it; a special token has none."""

    id: int
    text: str
    logprob: float
    special: bool


class PrefillToken(BaseModel):
    """A token of the prompt; nothing precedes the first."""

    id: int
    text: str
    logprob: float | None


class Sequence(BaseModel):
    """How an answer came about."""

    finish_reason: Literal["length", "eos_token", "stop_sequence"]
    generated_tokens: int
    seed: int | None = Field(description="null where nothing was drawn")
    prefill: list[PrefillToken]
    tokens: list[TokenInfo]
    top_tokens: list[list[TokenInfo]] | None = None


class OtherSequence(Sequence):
    """An answer of `best_of` that was not the best."""

    generated_text: str


class Details(Sequence):
    """The details of a whole reply."""

    best_of_sequences: list[OtherSequence] | None = None


class Generated(BaseModel):
    """A whole reply."""

    generated_text: str
    details: Details | None = None


class StreamTimings(BaseModel):
    """Milliseconds of the engine's clock."""

    validation_time: float
    queue_time: float
    inference_time: float
    total_time: float
    time_per_token: float | None
    time_to_first_token: float | None


class StreamDetails(BaseModel):
    """The details of a stream's last event."""

    finish_reason: Literal["length", "eos_token", "stop_sequence"]
    generated_tokens: int
    seed: int | None
    input_length: int
    timings: StreamTimings


class NativeEvent(BaseModel):
    """One event of a stream: one token. The last one carries the text and, if asked for, the details."""

    index: int
    token: TokenInfo
    top_tokens: list[TokenInfo] | None = None
    generated_text: str | None
    details: StreamDetails | None


class Usage(BaseModel):
    """Tokens read and written."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatLogprob(BaseModel):
    """How likely a token was."""

    token: str
    logprob: float
    bytes: list[int]


class ChatLogprobWithTop(ChatLogprob):
    """And the likeliest beside it."""

    top_logprobs: list[ChatLogprob]


class ChatLogprobs(BaseModel):
    """One for each token."""

    content: list[ChatLogprobWithTop]


class ChatText(BaseModel):
    """A message, or a piece of one."""

    role: Literal["assistant"]
    content: str


class ChatChoice(BaseModel):
    """One answer."""

    index: int
    message: ChatText
    logprobs: ChatLogprobs | None
    finish_reason: Literal["stop", "length"]


class ChatDelta(BaseModel):
    """A piece of one answer."""

    index: int
    delta: ChatText
    logprobs: ChatLogprobs | None
    finish_reason: Literal["stop", "length"] | None


class Envelope(BaseModel):
    """What every reply of OpenAI's routes carries."""

    id: str
    created: int
    model: str
    system_fingerprint: str


class Chat(Envelope):
    """A whole answer."""

    object: Literal["chat.completion"]
    choices: list[ChatChoice]
    usage: Usage


class ChatChunk(Envelope):
    """One token; or, last and without a choice, the usage that was asked for. Then `data: [DONE]`."""

    object: Literal["chat.completion.chunk"]
    choices: list[ChatDelta]
    usage: Usage | None = None


class CompletionLogprobs(BaseModel):
    """How likely each token was."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]]
    text_offset: list[int]


class CompletionChoice(BaseModel):
    """One answer, or a piece of it."""

    index: int
    text: str
    logprobs: CompletionLogprobs | None
    finish_reason: Literal["stop", "length"] | None


class Completion(Envelope):
    """A whole answer."""

    object: Literal["text_completion"]
    choices: list[CompletionChoice]
    usage: Usage


class CompletionChunk(Envelope):
    """One token, with TGI's fields beside OpenAI's; or, last and without them, the usage. Then `data: [DONE]`."""

    object: Literal["text_completion"]
    choices: list[CompletionChoice]
    usage: Usage | None = None
    index: int | None = None
    token: TokenInfo | None = None
    top_tokens: list[TokenInfo] | None = None
    generated_text: str | None = None
    details: StreamDetails | None = None


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
