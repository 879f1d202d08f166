"""OpenAI's completions dialect: `/v1/completions`. Pure parse and encode.

Its chunks carry TGI's fields too: @huggingface/inference 4 streams from here and hands each chunk to a caller who
reads TGI's `token.text`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Annotated, Any, ClassVar, Final

from pydantic import ConfigDict, Field

from demo.api.dialects.answer import Answer
from demo.api.dialects.native import DEFAULT_MAX_NEW_TOKENS, Raw, write_chunk, write_stream_details
from demo.api.dialects.number_fields import Count, TopN
from demo.api.dialects.openai import MAX_CHOICES, OpenAIDialect, OpenAIRequest, count_usage, fingerprint, read_reason
from demo.api.dialects.plain_prompt import read_prompt
from demo.api.openapi.replies import Completion, CompletionChoice, CompletionChunk, CompletionLogprobs
from demo.errors import BadRequest
from demo.events import ModelCard, Request, Token

Prompt = Annotated[str, Field(min_length=1)]
MAX_PROMPTS: Final = 4


class CompletionRequest(OpenAIRequest):
    """What `/v1/completions` takes."""

    model_config = ConfigDict(json_schema_extra={"example": {"prompt": "What is Deep Learning?", "max_tokens": 20}})
    unavailable: ClassVar[Mapping[str, Sequence[Any]]] = {
        **OpenAIRequest.unavailable,
        "suffix": ("",),
        "echo": (False,),
        "best_of": (1,),
    }

    prompt: Prompt | Annotated[list[Prompt], Field(min_length=1, max_length=MAX_PROMPTS)] = Field(
        description="One text, or several that are answered side by side; each a user's message, unless `raw`."
    )
    raw: Raw = None
    max_tokens: Count | None = Field(
        default=DEFAULT_MAX_NEW_TOKENS, description="The most tokens to generate; null for as many as fit."
    )
    logprobs: TopN | None = Field(
        default=None, description="Tell how likely each token was, and this many of the likeliest."
    )
    suffix: Any = Field(default=None, description="Not available here: refused unless null or empty.")
    echo: Any = Field(default=None, description="Not available here: refused unless null or false.")
    best_of: Any = Field(default=None, description="Not available here: refused unless null or 1.")

    def requests(self, card: ModelCard) -> list[Request]:
        """What the engine of `card` is asked: each prompt n times. Raises BadRequest for what can't be done."""
        self.refuse_unavailable()
        texts = [self.prompt] if isinstance(self.prompt, str) else self.prompt
        prompts = [read_prompt(text, card, self.raw) for text in texts]
        if len(prompts) * (self.n or 1) > MAX_CHOICES:
            raise BadRequest(f"{len(prompts)} prompts times n are more than {MAX_CHOICES} choices: ask for fewer.")
        top = self.logprobs or 0
        asked = [Request(prompt, self.max_tokens, self.sampling(), self.stops(), top) for prompt in prompts]
        return [each for request in asked for each in self.repeat(request)]

    def dialect(self, card: ModelCard) -> "CompletionDialect":
        """How the answer is told."""
        return CompletionDialect(
            card,
            self.include_usage,
            self.n or 1,
            with_logprobs=self.logprobs is not None,
            with_progress=bool(self.return_progress),
        )


@dataclass(frozen=True, slots=True)
class CompletionDialect(OpenAIDialect):
    """Pieces of text, with TGI's token beside them."""

    kind = "cmpl"

    def open_chunk(self) -> CompletionChunk:
        return {
            "id": self.id,
            "object": "text_completion",
            "created": self.created,
            "model": self.card.model_id,
            "system_fingerprint": fingerprint(self.card),
            "choices": [],
        }

    def chunk(self, index: int, answer: Answer, token: Token, is_last: bool) -> CompletionChunk:
        """One token."""
        chunk = self.open_chunk()
        chunk["choices"].append(
            {
                "index": index,
                "text": token.text,
                "logprobs": self._write_logprobs([token], answer.characters - len(token.text)),
                "finish_reason": read_reason(answer) if is_last else None,
            }
        )
        if self.include_usage:
            chunk["usage"] = None  # as OpenAI's chunks do: it is still to come
        native = write_chunk(answer, token)
        if is_last:
            native["generated_text"], native["details"] = answer.text, write_stream_details(answer)
        return {**chunk, **native}

    def whole(self, answers: Sequence[Answer]) -> Completion:
        """All answers, as texts."""
        choices: list[CompletionChoice] = [
            {
                "index": index,
                "text": answer.text,
                "logprobs": self._write_logprobs(answer.tokens, 0),
                "finish_reason": read_reason(answer),
            }
            for index, answer in enumerate(answers)
        ]
        return {
            "id": self.id,
            "object": "text_completion",
            "created": self.created,
            "model": self.card.model_id,
            "system_fingerprint": fingerprint(self.card),
            "choices": choices,
            "usage": count_usage(answers, self.n),
        }

    def _write_logprobs(self, tokens: Sequence[Token], offset: int) -> CompletionLogprobs | None:
        if not self.with_logprobs:
            return None
        ends = accumulate((len(token.text) for token in tokens), initial=offset)
        return {
            "tokens": [token.text for token in tokens],
            "token_logprobs": [token.logprob for token in tokens],
            "top_logprobs": [{each.text: each.logprob for each in token.top} for token in tokens],
            "text_offset": list(ends)[:-1],
        }
