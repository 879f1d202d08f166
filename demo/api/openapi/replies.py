"""The shapes of answers and errors: what the dialects return, and what the OpenAPI document says of it."""

from typing import Annotated, Final, Literal, NotRequired, TypeAlias

from pydantic import Field
from typing_extensions import TypedDict

from demo.api.openapi.usage import CachedTokens, PromptTokens, Usage, UsageField

IGNORED_PARAMETERS: Final = "x-ignored-parameters"  # a header: fields of the body that are not known here
NativeReason: TypeAlias = Literal["length", "eos_token", "stop_sequence"]
OpenAIReason: TypeAlias = Literal["stop", "length"]
TokenId: TypeAlias = Annotated[int | None, Field(description="null where an engine elsewhere does not tell it")]
Logprob: TypeAlias = Annotated[float | None, Field(description="null where an engine elsewhere does not tell it")]
RetryAfter: TypeAlias = Annotated[
    float, Field(description="seconds until a place is expected to be free, where the server can tell")
]
ReasoningContent: TypeAlias = Annotated[
    str, Field(description="what a model that reasons wrote before its answer, without the marks around it")
]
Seed: TypeAlias = Annotated[int | None, Field(description="null where no token was drawn at random")]


class NativeError(TypedDict):
    """TGI's error."""

    error: str
    error_type: str
    retry_after: NotRequired[RetryAfter]


class OpenAIErrorText(TypedDict):
    """What OpenAI's clients read of an error."""

    message: str
    type: str
    param: str | None
    code: Annotated[int | str, Field(description="OpenAI's `context_length_exceeded`, or the HTTP status")]


class OpenAIError(TypedDict):
    """OpenAI's error, with TGI's type beside it."""

    error: OpenAIErrorText
    error_type: str
    retry_after: NotRequired[RetryAfter]


class TokenInfo(TypedDict):
    """A generated token. `text` is what became readable with it; a special token has none."""

    id: TokenId
    text: str
    logprob: Logprob
    special: bool


class PrefillToken(TypedDict):
    """A token of the prompt; the first has no logprob."""

    id: int
    text: str
    logprob: float | None


class Details(TypedDict):
    """The details of a whole reply: its tokens, and why it ended."""

    finish_reason: NativeReason
    generated_tokens: int
    seed: Seed
    cached_tokens: CachedTokens
    prefill: list[PrefillToken]
    tokens: list[TokenInfo]
    top_tokens: NotRequired[list[list[TokenInfo]]]


class OtherSequence(Details):
    """An answer of `best_of` that was not the best."""

    generated_text: str


class BestOfDetails(Details):
    """The details of a whole reply with `best_of`."""

    best_of_sequences: list[OtherSequence]


class Generated(TypedDict):
    """A whole reply."""

    generated_text: str
    details: NotRequired[Details | BestOfDetails]


class StreamTimings(TypedDict):
    """Milliseconds of the engine's clock.

    Of an engine elsewhere, of the arrivals here: its queue is part of `inference_time`, and `engine` holds its own
    figures, by its names.
    """

    validation_time: float
    queue_time: float | None
    inference_time: float
    total_time: float
    time_per_token: float | None
    time_to_first_token: float | None
    time_to_first_answer: NotRequired[
        Annotated[float, Field(description="of a model that has reasoned first: to the first token of its answer")]
    ]
    engine: NotRequired[dict[str, float]]


class StreamDetails(TypedDict):
    """The details of a stream's last event."""

    finish_reason: NativeReason
    generated_tokens: int
    seed: Seed
    input_length: PromptTokens
    cached_tokens: CachedTokens
    timings: StreamTimings


class NativeEvent(TypedDict):
    """One event of a stream: one token. The last one carries the text and, if asked for, the details."""

    index: int
    token: TokenInfo
    top_tokens: NotRequired[list[TokenInfo]]
    generated_text: str | None
    details: StreamDetails | None


class ChatLogprob(TypedDict):
    """How likely a token was."""

    token: str
    logprob: Logprob
    bytes: list[int]


class ChatLogprobWithTop(ChatLogprob):
    """And the likeliest beside it."""

    top_logprobs: list[ChatLogprob]


class ChatLogprobs(TypedDict):
    """One for each token."""

    content: list[ChatLogprobWithTop]


class ChatText(TypedDict):
    """A message."""

    role: Literal["assistant"]
    content: str
    reasoning_content: NotRequired[ReasoningContent]


class ChatTextDelta(TypedDict):
    """A piece of a message. The first one names the role: clients concatenate what all pieces hold."""

    role: NotRequired[Literal["assistant"]]
    content: str
    reasoning_content: NotRequired[ReasoningContent]


class ChoiceFields(TypedDict, total=False):
    """What vLLM adds to a choice: the ids of its tokens, and what ended it."""

    token_ids: list[TokenId]
    stop_reason: Annotated[
        str | None, Field(description="vLLM's, of an answer that has ended: the stop string that ended it, if one did")
    ]


class PromptIdFields(TypedDict, total=False):
    """The ids of the prompt."""

    prompt_token_ids: Annotated[
        list[int] | None,
        Field(description="vLLM's, with the answer's first token; null where the engine does not know them"),
    ]


class ChatChoice(ChoiceFields):
    """One answer."""

    index: int
    message: ChatText
    logprobs: ChatLogprobs | None
    finish_reason: OpenAIReason


class ChatDelta(ChoiceFields):
    """A piece of one answer."""

    index: int
    delta: ChatTextDelta
    logprobs: ChatLogprobs | None
    finish_reason: OpenAIReason | None


class Envelope(TypedDict):
    """The fields of every reply of OpenAI's routes, beside its id."""

    created: int
    model: str
    system_fingerprint: str


class Chat(Envelope, PromptIdFields):
    """A whole answer."""

    id: str
    object: Literal["chat.completion"]
    choices: list[ChatChoice]
    usage: Usage


class PromptProgress(TypedDict):
    """llama.cpp's: tokens of the prompt; how many were cached, how many are processed, those included; and when."""

    total: int
    cache: CachedTokens
    processed: int
    time_ms: int


class ChatChunk(Envelope, PromptIdFields, UsageField):
    """One token; or, without a choice, first the progress and last the usage, if asked for. Then `data: [DONE]`."""

    id: str
    object: Literal["chat.completion.chunk"]
    choices: list[ChatDelta]
    prompt_progress: NotRequired[PromptProgress]


class CompletionLogprobs(TypedDict):
    """How likely each token was."""

    tokens: list[str]
    token_logprobs: list[Logprob]
    top_logprobs: list[dict[str, float | None]]
    text_offset: list[int]


class CompletionChoice(ChoiceFields, PromptIdFields):
    """One answer, or a piece of it."""

    index: int
    text: str
    logprobs: CompletionLogprobs | None
    finish_reason: OpenAIReason | None


class Completion(Envelope):
    """A whole answer."""

    id: str
    object: Literal["text_completion"]
    choices: list[CompletionChoice]
    usage: Usage


class CompletionChunk(Envelope, UsageField):
    """One token, with TGI's fields beside OpenAI's; or, without them, progress or usage. Then `data: [DONE]`."""

    id: str
    object: Literal["text_completion"]
    choices: list[CompletionChoice]
    prompt_progress: NotRequired[PromptProgress]
    index: NotRequired[int]
    token: NotRequired[TokenInfo]
    top_tokens: NotRequired[list[TokenInfo]]
    generated_text: NotRequired[str | None]
    details: NotRequired[StreamDetails | None]


Chunk: TypeAlias = ChatChunk | CompletionChunk
