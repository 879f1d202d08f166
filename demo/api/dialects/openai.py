"""The common part of OpenAI's two dialects: choices, names and ids of tokens, usage, errors. Pure."""

import time
import uuid
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final

from demo.api.dialects import sse
from demo.api.dialects.answer import MILLISECONDS, Answer, combine_counts
from demo.api.dialects.dialect import Dialect
from demo.api.dialects.native import describe_queued
from demo.api.dialects.openai_request import OpenAIRequest
from demo.api.openapi.replies import ChoiceFields, Chunk, Envelope, OpenAIReason, PromptIdFields
from demo.api.openapi.usage import Usage, UsageField
from demo.engine import ModelCard
from demo.errors import BadRequest
from demo.events import Candidate, Done, PromptProgress, Queued, Token

FINISH_REASONS: Final[dict[str, OpenAIReason]] = {"eos_token": "stop", "stop_sequence": "stop", "length": "length"}
BYTES: Final = "bytes:"  # completions mark the name of a part of a character


@dataclass(frozen=True, slots=True)
class OpenAIDialect(Dialect):
    """The common fields of chunks and replies. Each dialect writes its own around its choices."""

    id_prefix: ClassVar[str]
    ending: ClassVar[bytes] = sse.DONE

    card: ModelCard
    request: OpenAIRequest
    with_logprobs: bool
    id_suffix: str = field(default_factory=lambda: uuid.uuid4().hex)
    created: int = field(default_factory=lambda: int(time.time()))

    def __post_init__(self) -> None:
        if self.with_logprobs and not self.card.has_logprobs:
            raise BadRequest("`logprobs` are not told by the engine behind this server: leave it out.")

    @property
    def id(self) -> str:
        return f"{self.id_prefix}-{self.id_suffix}"

    @abstractmethod
    def write_chunk(self) -> Chunk:
        """A chunk without a choice."""

    def write_envelope(self) -> Envelope:
        """The model, and with the device what the tokens depend on beside the request."""
        return {
            "created": self.created,
            "model": self.card.model_id,
            "system_fingerprint": "-".join(filter(None, (self.card.revision, self.card.device, self.card.dtype))),
        }

    def progress(self, answer: Answer, progress: PromptProgress | Queued) -> Chunk | str | None:
        """llama.cpp's chunk: the tokens processed include the cached ones. A comment while the request waits."""
        if not self.request.return_progress:
            return None
        if isinstance(progress, Queued):
            return describe_queued(progress)
        elapsed = progress.time - answer.started.time if answer.started else 0.0
        chunk = self.write_chunk()
        chunk["prompt_progress"] = {
            "total": progress.total,
            "cache": answer.cached_tokens,
            "processed": progress.read,
            "time_ms": round(elapsed * MILLISECONDS),
        }
        return chunk

    def write_choice_fields(self, answer: Answer, tokens: Sequence[Token]) -> ChoiceFields:
        """The ids of `tokens`, if they are asked for; of an answer that has ended, the stop string that ended it."""
        fields: ChoiceFields = {"token_ids": [token.id for token in tokens]} if self.request.return_token_ids else {}
        if isinstance(answer.end, Done):
            fields["stop_reason"] = answer.end.stop
        return fields

    def write_prompt_ids(self, answer: Answer, is_first: bool = True) -> PromptIdFields:
        """With the first token the ids of the prompt, if they are asked for; null where the engine knows none."""
        if not (self.request.return_token_ids and is_first):
            return {}
        return {"prompt_token_ids": list(answer.started.prompt) or None if answer.started else None}

    def write_usage_so_far(self, answer: Answer) -> UsageField:
        """The field `usage` of a chunk: null is OpenAI's sign that usage follows."""
        options = self.request.stream_options
        if options and options.continuous_usage_stats:
            return {"usage": self.count_usage([answer])}
        return {"usage": None} if self.request.include_usage else {}

    def closing(self, answers: Sequence[Answer]) -> Sequence[Chunk]:
        if not self.request.include_usage:
            return ()
        chunk = self.write_chunk()
        chunk["usage"] = self.count_usage(answers)
        return [chunk]

    def headers(self, answers: Sequence[Answer]) -> dict[str, str]:
        return answers[0].headers(self.card.device)

    def count_usage(self, answers: Sequence[Answer]) -> Usage:
        """The tokens of all answers. Each n of them in a row answer the same prompt, which counts once.

        As cached counts what all n found cached, since the rest was computed for this reply.
        """
        n = self.request.n or 1
        prompt = combine_counts(sum, (answer.input_tokens for answer in answers[::n]))
        completion = sum(len(answer.tokens) for answer in answers)
        groups = [answers[at : at + n] for at in range(0, len(answers), n)]
        cached = [combine_counts(min, (answer.cached_tokens for answer in group)) for group in groups]
        usage: Usage = {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": combine_counts(sum, [prompt, completion]),
            "prompt_tokens_details": {"cached_tokens": combine_counts(sum, cached)},
        }
        if answers[0].reasons:
            reasoning = sum(answer.reasoning_tokens for answer in answers)
            usage["completion_tokens_details"] = {"reasoning_tokens": reasoning}
        return usage


def list_likeliest(token: Token) -> Sequence[Candidate]:
    """The likeliest tokens that were asked for, and the sampled one where it is none of them."""
    own = token.candidate
    # An engine elsewhere may tell no ids.
    is_among = any(each.id == own.id and (own.id is not None or each.text == own.text) for each in token.top)
    return token.top if is_among else (own, *token.top)


def name_candidate(candidate: Candidate, mark: str = "") -> str:
    r"""Its text; of a part of a character its bytes after `mark`, those that are no character as `\xe2`."""
    if candidate.encoded is None:
        return candidate.text
    return mark + candidate.encoded.decode("utf-8", "backslashreplace")


def name_likeliest(token: Token) -> dict[str, float | None]:
    """The log-probabilities of the likeliest beside `token`, by name. Its own name is the one that it has elsewhere.

    Of others with an equal name, each but the likeliest is named by its id, as vLLM does.
    """
    chosen, names = token.candidate, dict[str, float | None]()
    taken = {name_candidate(chosen, BYTES)}
    for each in list_likeliest(token):
        name = name_candidate(each, BYTES)
        if each.id != chosen.id and name in taken:
            name = f"token_id:{each.id}"
        taken.add(name)
        names[name] = each.logprob
    return names
