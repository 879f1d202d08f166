"""The shapes of OpenAI's counts of tokens: what the dialects return, and what the OpenAPI document says of it."""

from typing import Annotated, NotRequired, TypeAlias

from pydantic import Field
from typing_extensions import TypedDict

CachedTokens: TypeAlias = Annotated[
    int | None, Field(description="tokens of the prompt that were reused and not computed; null where it is not told")
]
PromptTokens: TypeAlias = Annotated[int | None, Field(description="null where an engine elsewhere does not tell it")]


class PromptTokensDetails(TypedDict):
    """How much of the prompt was not computed."""

    cached_tokens: CachedTokens


class CompletionTokensDetails(TypedDict):
    """How much of the answer is the model's reasoning."""

    reasoning_tokens: Annotated[int, Field(description="tokens before the answer, those of the marks included")]


class Usage(TypedDict):
    """Tokens read and written."""

    prompt_tokens: PromptTokens
    completion_tokens: int
    total_tokens: int | None
    prompt_tokens_details: PromptTokensDetails
    completion_tokens_details: NotRequired[CompletionTokensDetails]


class UsageField(TypedDict, total=False):
    """The counts in a chunk; null where they follow in one of their own."""

    usage: Usage | None
