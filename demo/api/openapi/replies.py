"""The shapes of answers and errors, for the OpenAPI document and for whoever checks that it is true."""

from typing import Final, Literal

from pydantic import BaseModel, Field

CACHED: Final = "tokens of the prompt that were reused and not computed"


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
    cached_tokens: int = Field(description=CACHED)
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
    cached_tokens: int = Field(description=CACHED)
    timings: StreamTimings


class NativeEvent(BaseModel):
    """One event of a stream: one token. The last one carries the text and, if asked for, the details."""

    index: int
    token: TokenInfo
    top_tokens: list[TokenInfo] | None = None
    generated_text: str | None
    details: StreamDetails | None


class PromptTokensDetails(BaseModel):
    """What became of the prompt's tokens."""

    cached_tokens: int = Field(description=CACHED)


class Usage(BaseModel):
    """Tokens read and written."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails


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


class PromptProgress(BaseModel):
    """llama.cpp's: tokens of the prompt; how many were cached, how many are processed, those included; and when."""

    total: int
    cache: int
    processed: int
    time_ms: int


class ChatChunk(Envelope):
    """One token; or, without a choice, first the progress and last the usage, if asked for. Then `data: [DONE]`."""

    object: Literal["chat.completion.chunk"]
    choices: list[ChatDelta]
    prompt_progress: PromptProgress | None = None
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
    """One token, with TGI's fields beside OpenAI's; or, without them, progress or usage. Then `data: [DONE]`."""

    object: Literal["text_completion"]
    choices: list[CompletionChoice]
    prompt_progress: PromptProgress | None = None
    usage: Usage | None = None
    index: int | None = None
    token: TokenInfo | None = None
    top_tokens: list[TokenInfo] | None = None
    generated_text: str | None = None
    details: StreamDetails | None = None
