"""What the OpenAPI document says of replies: their schemas, examples and statuses. Encodes nothing itself."""

from typing import Any, Final, Literal

from pydantic import BaseModel, Field

from demo.api.sse import CONTENT_TYPE

Arguments = dict[str, Any]


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


GENERATED: Final = Generated
GENERATED_ARRAY: Final = list[Generated]
NATIVE_STREAM: Final = NativeEvent
CHAT, CHAT_STREAM = Chat, ChatChunk
COMPLETION, COMPLETION_STREAM = Completion, CompletionChunk
TokenizedText: Final = list[TextToken]

OVERLOADED: Final = {"error": "Model is overloaded: 64 requests are being answered …", "error_type": "overloaded"}
WHY: Final = {
    400: "Not HTTP, or not JSON",
    401: "The API key is missing or wrong",
    404: "No such thing",
    408: "The request did not arrive in time",
    413: "The body is too large",
    422: "The request can't be done as asked; the sentence says why",
    424: "The generation broke",
    429: "Overloaded: ask again after `Retry-After` seconds",
    500: "The answer ended before it was done",
    503: "The model is loading, or the server is going down",
}
GENERATING: Final = (401, 413, 422, 424, 429, 500, 503)


def errors(*statuses: int) -> dict[int | str, Arguments]:
    """The documented errors."""
    return {status: {"description": WHY[status], "model": NativeError | OpenAIError} for status in statuses}


def whole(model: Any) -> Arguments:
    """A route that replies with all of the answer."""
    return _document({200: {"model": model, "description": "The whole answer", "headers": TIMING_HEADERS}})


def stream(event: Any) -> Arguments:
    """A route that streams."""
    return _document({200: {"description": "One event for each token", "content": {CONTENT_TYPE: _stream_of(event)}}})


def either(model: Any, event: Any) -> Arguments:
    """A route that does one or the other, as `stream` says."""
    content = {CONTENT_TYPE: _stream_of(event)}
    described = "The whole answer, or with `stream` one event for each token"
    return _document({200: {"model": model, "description": described, "headers": TIMING_HEADERS, "content": content}})


def reply(model: Any, *statuses: int) -> Arguments:
    """A route that replies with a value."""
    return {"response_model": model, "responses": errors(*statuses)}


def text(description: str) -> Arguments:
    """A route that replies with plain text."""
    content = {"text/plain": {"schema": {"type": "string"}}}
    return {"response_model": None, "responses": {200: {"description": description, "content": content}}}


def _document(success: dict[int | str, Arguments]) -> Arguments:
    return {"response_model": None, "responses": {**success, **errors(*GENERATING)}}


def _stream_of(event: type[BaseModel]) -> Arguments:
    return {"schema": event.model_json_schema(), "x-event-schema": event.__name__}


TIMING_HEADERS: Final = {
    name: {"description": text, "schema": {"type": "string"}}
    for name, text in {
        "x-compute-type": "The device",
        "x-compute-time": "Inference, in seconds",
        "x-compute-characters": "Characters of the generated text",
        "x-total-time": "From the request to the last token, in milliseconds",
        "x-validation-time": "Until the request was admitted, in milliseconds",
        "x-queue-time": "Until its prompt was read, in milliseconds",
        "x-inference-time": "From there to the last token, in milliseconds",
        "x-time-per-token": "Inference time over the tokens, in milliseconds",
        "x-time-to-first-token": "From the request to its first text, in milliseconds",
        "x-prompt-tokens": "Tokens of the prompt",
        "x-generated-tokens": "Tokens generated",
        "Server-Timing": "queue, prefill, decode and total, in milliseconds",
    }.items()
}
