"""text-generation-inference's own dialect: the events and replies of `/generate`, `/generate_stream` and `/`. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from demo.api.dialects.answer import Answer
from demo.api.dialects.dialect import Dialect
from demo.api.dialects.errors import write_native
from demo.api.dialects.native_request import Parameters
from demo.api.openapi import replies
from demo.errors import DemoError
from demo.events import Candidate, PromptProgress, Queued, Token
from demo.request import find_question


@dataclass(frozen=True, slots=True)
class NativeDialect(Dialect):
    """`in_array` wraps a whole reply in an array, as `/` does."""

    parameters: Parameters
    device: str
    in_array: bool = False

    def chunk(self, index: int, answer: Answer, token: Token, is_last: bool) -> replies.NativeEvent:
        chunk = write_chunk(answer, token)
        if is_last:
            chunk["generated_text"] = self._write_text(answer)
            chunk["details"] = write_stream_details(answer) if self.parameters.details else None
        return chunk

    def progress(self, answer: Answer, progress: PromptProgress | Queued) -> str | None:
        if not self.parameters.return_progress:
            return None
        return describe_queued(progress) if isinstance(progress, Queued) else f"prompt {progress.read}/{progress.total}"

    def whole(self, answers: Sequence[Answer]) -> replies.Generated | list[replies.Generated]:
        best, *others = sorted(answers, key=_mean_logprob, reverse=True)
        reply: replies.Generated = {"generated_text": self._write_text(best)}
        if self.parameters.details or self.parameters.decoder_input_details:
            reply["details"] = self._write_best(best, others) if others else write_details(best)
        return [reply] if self.in_array else reply

    def headers(self, answers: Sequence[Answer]) -> dict[str, str]:
        return max(answers, key=_mean_logprob).headers(self.device)

    def error(self, error: DemoError) -> replies.NativeError:
        return write_native(error)

    def _write_best(self, best: Answer, others: Sequence[Answer]) -> replies.BestOfDetails:
        sequences: list[replies.OtherSequence] = [
            {"generated_text": self._write_text(each), **write_details(each)} for each in others
        ]
        return {**write_details(best), "best_of_sequences": sequences}

    def _write_text(self, answer: Answer) -> str:
        question = find_question(answer.request.prompt) if self.parameters.return_full_text else ""
        return question + answer.text


def _mean_logprob(answer: Answer) -> float:
    return sum(token.logprob or 0.0 for token in answer.tokens) / max(len(answer.tokens), 1)


def describe_queued(queued: Queued) -> str:
    """The comment for a request that waits."""
    expected = "" if queued.seconds is None else f", first token in {queued.seconds:.1f} s"
    return f"queued {queued.ahead} ahead{expected}"


def write_chunk(answer: Answer, token: Token) -> replies.NativeEvent:
    """The event of a token that is not the last."""
    chunk: replies.NativeEvent = {
        "index": token.index,
        "token": write_token(token),
        "generated_text": None,
        "details": None,
    }
    if answer.request.top_n_tokens:
        chunk["top_tokens"] = [write_token(candidate) for candidate in token.top]
    return chunk


def write_token(token: Token | Candidate) -> replies.TokenInfo:
    return {"id": token.id, "text": token.text, "logprob": token.logprob, "special": token.special}


def write_stream_details(answer: Answer) -> replies.StreamDetails:
    """The details of a stream's last event: TGI's, and the timings that a whole reply has in its headers."""
    return {
        "finish_reason": answer.finish_reason,
        "generated_tokens": len(answer.tokens),
        "seed": answer.seed,
        "input_length": answer.input_tokens,
        "cached_tokens": answer.cached_tokens,
        "timings": answer.timings().as_details(),
    }


def write_details(answer: Answer) -> replies.Details:
    details: replies.Details = {
        "finish_reason": answer.finish_reason,
        "generated_tokens": len(answer.tokens),
        "seed": answer.seed,
        "cached_tokens": answer.cached_tokens,
        "prefill": [{"id": token.id, "text": token.text, "logprob": token.logprob} for token in answer.prompt],
        "tokens": [write_token(token) for token in answer.tokens],
    }
    if answer.request.top_n_tokens:
        details["top_tokens"] = [[write_token(candidate) for candidate in token.top] for token in answer.tokens]
    return details
