"""OpenAI's dialect as any compatible server speaks it: without ids, and with what OpenAI itself documents alone."""

import json
from typing import Any, ClassVar, Final

from demo.engines.endpoint.backend import Backend, Call, find_dict, is_continued, read_numbers
from demo.engines.endpoint.chunk import Chunk, Entry, Finish
from demo.engines.endpoint.connection import Json
from demo.events import Candidate
from demo.request import Prompt, Request, TokenIds

FINISHES: Final[dict[str, Finish]] = {"stop": "stop", "eos_token": "stop", "stop_sequence": "stop", "length": "length"}
OPENAI: Final = {name: name for name in ("temperature", "top_p", "frequency_penalty", "presence_penalty")}


class PlainBackend(Backend):
    """Subclasses add what they extend the dialect by."""

    title = "an OpenAI-compatible server"
    sampling_names = OPENAI
    counts_tokens: ClassVar[bool] = False  # whether `usage` counts the tokens of the answer, and no hidden ones
    takes_ids: ClassVar[bool] = False
    fits_by_itself: ClassVar[bool] = False  # whether a completion without `max_tokens` is as long as fits
    stop_option: ClassVar[str | None] = None  # set with stop strings, so that the text includes them
    figures_key: ClassVar[str] = "metrics"

    def write(self, request: Request, seed: int | None) -> Call:
        self.check(request)
        body: Json = {
            "model": self.model,
            **self.write_prompt(request),
            **self.write_sampling(request.sampling),
            **self.write_extensions(request),
            "stream": True,
            "stream_options": self.write_stream_options(),
        }
        if request.stop and self.is_given_stops(request):
            body["stop"] = list(request.stop)
            if self.stop_option:
                body[self.stop_option] = True
        if request.max_new_tokens is not None:
            body["max_tokens"] = request.max_new_tokens
        if seed is not None and request.sampling.is_random:
            body["seed"] = seed
        return Call("/v1/chat/completions" if "messages" in body else "/v1/completions", body)

    def write_prompt(self, request: Request) -> Json:
        """The prompt, and how many log-probabilities are asked for: they also tell the tokens of a chunk apart."""
        if isinstance(request.prompt, str):
            self._refuse(
                request.max_new_tokens is None and not self.fits_by_itself, "an answer of any length to a text"
            )
            return {"prompt": request.prompt, **self.write_completion_logprobs(request.top_n_tokens)}
        if isinstance(request.prompt, TokenIds):
            self._refuse(not self.takes_ids, "token ids as a prompt")
            return {"prompt": list(request.prompt.ids), **self.write_completion_logprobs(request.top_n_tokens)}
        conversation = self.write_conversation(request.prompt, request.template_options)
        return {**conversation, **self.write_chat_logprobs(request.top_n_tokens)}

    def write_conversation(self, prompt: Prompt, options: str) -> Json:
        """The messages, with what the chat template is given beside them."""
        continued = self.write_continuation() if is_continued(prompt) else {}
        return {"messages": write_messages(prompt), **write_options(options), **continued}

    def write_chat_logprobs(self, top: int) -> Json:
        return {"logprobs": True, "top_logprobs": top} if self.card.has_logprobs else {}

    def write_completion_logprobs(self, top: int) -> Json:
        return {"logprobs": top} if self.card.has_logprobs else {}

    def write_continuation(self) -> Json:
        """What says that the last message is continued."""
        return {}

    def write_extensions(self, request: Request) -> Json:
        return {}

    def write_stream_options(self) -> Json:
        return {"include_usage": True}

    def read(self, event: Json) -> Chunk:
        choices = event.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
        usage, logprobs = find_dict(event, "usage"), find_dict(choice, "logprobs")
        entries, ids = read_entries(logprobs)
        prompt_ids = event.get("prompt_token_ids") or choice.get("prompt_token_ids") or ()
        reasoning, content = read_texts(choice)
        return Chunk(
            text=reasoning + content,
            reasoned=len(reasoning),
            ids=tuple(choice.get("token_ids") or ids),
            entries=entries,
            count=self.read_count(event, usage),
            prompt=tuple(prompt_ids),
            input_tokens=usage.get("prompt_tokens") or len(prompt_ids) or None,
            cached_tokens=find_dict(usage, "prompt_tokens_details").get("cached_tokens"),
            finish=self.read_finish(choice),
            stop=stop if isinstance(stop := choice.get("stop_reason"), str) else None,
            figures=read_numbers(event.get(self.figures_key)),
        )

    def read_count(self, event: Json, usage: Json) -> int | None:
        """How many tokens the answer has by then, where that is told."""
        return usage.get("completion_tokens") if self.counts_tokens else None

    def read_finish(self, choice: Json) -> Finish | None:
        return FINISHES.get(choice.get("finish_reason") or "")


def write_messages(prompt: Prompt) -> list[Json]:
    assert isinstance(prompt, tuple)
    turns = [{"role": each.role, "content": each.content, "reasoning_content": each.reasoning} for each in prompt]
    return [{name: value for name, value in turn.items() if value is not None} for turn in turns]


def write_options(options: str) -> Json:
    """The field of variables for the chat template; none where there are none."""
    variables = json.loads(options)
    return {"chat_template_kwargs": variables} if variables else {}


def read_texts(choice: Json) -> tuple[str, str]:
    """The pieces of what the server sorts out as the model's reasoning, and of its answer, which follows it."""
    delta = find_dict(choice, "delta")
    reasoning = delta.get("reasoning_content") or delta.get("reasoning") or ""
    return str(reasoning), str(delta.get("content") or choice.get("text") or "")


def read_entries(logprobs: Json) -> tuple[tuple[Entry, ...], tuple[int, ...]]:
    """The tokens of either route's log-probabilities, and their ids where a server writes them there."""
    content = logprobs.get("content")
    if isinstance(content, list):
        ids = tuple(each["id"] for each in content if isinstance(each.get("id"), int))
        return tuple(map(_read_entry, content)), ids if len(ids) == len(content) else ()
    texts, scores, tops = (logprobs.get(name) or [] for name in ("tokens", "token_logprobs", "top_logprobs"))
    tops = [*tops, *[None] * (len(texts) - len(tops))]
    entries = [
        Entry(text.encode(errors="replace"), score, tuple(_read_top(top or {})))
        for text, score, top in zip(texts, scores, tops, strict=False)
    ]
    return tuple(entries), ()


def _read_entry(entry: Json) -> Entry:
    raw: Any = entry.get("bytes")
    encoded = str(entry.get("token") or "").encode(errors="replace") if raw is None else bytes(raw)
    top = [
        Candidate(each.get("id"), each["token"], each["logprob"], special=False)
        for each in entry.get("top_logprobs") or []
    ]
    return Entry(encoded, entry.get("logprob"), tuple(top))


def _read_top(top: dict[str, float]) -> list[Candidate]:
    return [Candidate(None, text, logprob, special=False) for text, logprob in top.items()]
