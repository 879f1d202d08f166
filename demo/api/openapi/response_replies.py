"""The shapes of OpenAI's Responses API: what its dialect returns, and what the OpenAPI document says of it."""

from typing import Any, Literal, NotRequired, TypeAlias

from typing_extensions import TypedDict

ResponseStatus: TypeAlias = Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]

ItemStatus: TypeAlias = Literal["in_progress", "completed", "incomplete"]


class OutputText(TypedDict):
    """The text of an answer."""

    type: Literal["output_text"]
    text: str
    annotations: list[Any]
    logprobs: list[Any]


class OutputMessage(TypedDict):
    """The message of an answer."""

    id: str
    type: Literal["message"]
    role: Literal["assistant"]
    status: ItemStatus
    content: list[OutputText]


class ReasoningText(TypedDict):
    """The text of a model's reasoning."""

    type: Literal["reasoning_text"]
    text: str


class ReasoningItem(TypedDict):
    """What a model that reasons wrote before its answer. There is no summary."""

    id: str
    type: Literal["reasoning"]
    status: ItemStatus
    summary: list[Any]
    content: list[ReasoningText]


OutputItem: TypeAlias = ReasoningItem | OutputMessage


class ResponseError(TypedDict):
    """Why a response failed."""

    code: Literal["server_error"]
    message: str


class IncompleteDetails(TypedDict):
    """Why a response ended before the model was done."""

    reason: Literal["max_output_tokens"]


class InputTokensDetails(TypedDict):
    """How much of the input was not computed."""

    cached_tokens: int | None
    cache_write_tokens: int


class OutputTokensDetails(TypedDict):
    """How much of the output is the model's reasoning, the marks around it included."""

    reasoning_tokens: int


class ResponseUsage(TypedDict):
    """Tokens read and written."""

    input_tokens: int | None
    input_tokens_details: InputTokensDetails
    output_tokens: int
    output_tokens_details: OutputTokensDetails
    total_tokens: int | None


class ResponseObject(TypedDict):
    """A response: the request as it was understood, the state, and what has been generated so far."""

    id: str
    object: Literal["response"]
    created_at: int
    completed_at: float | None
    status: ResponseStatus
    background: bool
    error: ResponseError | None
    incomplete_details: IncompleteDetails | None
    instructions: str | None
    max_output_tokens: int | None
    metadata: dict[str, str]
    model: str
    output: list[OutputItem]
    parallel_tool_calls: bool
    previous_response_id: str | None
    reasoning: dict[str, Any]
    store: bool
    temperature: float
    text: dict[str, Any]
    tool_choice: Literal["auto"]
    tools: list[Any]
    top_p: float
    truncation: Literal["disabled"]
    usage: ResponseUsage | None
    user: str | None


class ResponseEvent(TypedDict):
    """One event of a stream. Which of the optional fields there are depends on the `type`."""

    type: str
    sequence_number: int
    response: NotRequired[ResponseObject]
    item: NotRequired[OutputItem]
    part: NotRequired[OutputText | ReasoningText]
    item_id: NotRequired[str]
    output_index: NotRequired[int]
    content_index: NotRequired[int]
    delta: NotRequired[str]
    text: NotRequired[str]
    logprobs: NotRequired[list[Any]]


class DeletedResponse(TypedDict):
    """The response is no longer stored."""

    id: str
    object: Literal["response"]
    deleted: Literal[True]


class InputText(TypedDict):
    """A text of a message that was sent."""

    type: Literal["input_text"]
    text: str


class InputMessage(TypedDict):
    """A message of a conversation."""

    id: str
    type: Literal["message"]
    role: str
    status: Literal["completed"]
    content: list[InputText | OutputText]


class InputItems(TypedDict):
    """The messages that a response answers, those of the responses before it included."""

    object: Literal["list"]
    data: list[InputMessage]
    first_id: str | None
    last_id: str | None
    has_more: Literal[False]
