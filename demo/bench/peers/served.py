"""A contestant behind HTTP that speaks OpenAI's chat dialect, whoever started it."""

import json
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException

from demo.bench.dialects import DIALECTS, Json, read_count, read_error
from demo.bench.peers.contestant import Answer, Identity, Question
from demo.bench.peers.process import Child
from demo.bench.peers.streams import Address, post_together
from demo.bench.sample import Arrivals, Unmeasured, read_sample
from demo.bench.software import UNKNOWN, Software
from demo.bench.sse import DONE, EventStream

PATH = "/v1/chat/completions"
SILENCE = 120.0  # seconds after which a server counts as hung
_CHAT = DIALECTS["chat"]


@dataclass(frozen=True, slots=True)
class Served:
    """A server, and its process where we started it.

    `extras` go into every request, and so does what has it reuse nothing of earlier prompts, anew for each.
    """

    identity: Identity
    address: Address
    model: str
    extras: Mapping[str, Json] = field(default_factory=dict)
    software: Software = UNKNOWN
    child: Child | None = None
    silence: float = SILENCE

    def ask(self, questions: Sequence[Question], apart: float = 0.0) -> list[Answer]:
        bodies = [self._write(question) for question in questions]
        replies = post_together(self.address, PATH, bodies, apart, self.silence)
        return [read_answer(status, arrivals) for status, arrivals in replies]

    def pause(self) -> None:
        if self.child is not None:
            self.child.pause()

    def resume(self) -> None:
        if self.child is not None:
            self.child.resume()

    def read_memory(self) -> int | None:
        return None if self.child is None else self.child.read_memory()

    def read_peak(self) -> int | None:
        return None if self.child is None else self.child.read_peak()

    def _write(self, question: Question) -> Json:
        return {
            "model": self.model,
            "messages": question.messages,
            "max_tokens": question.new_tokens,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
            **self.extras,
            **self.software.write_no_reuse(),
        }


def read_answer(status: int, arrivals: Arrivals) -> Answer:
    """The answer in a reply. Raises Unmeasured where it is a refusal, an error or no text."""
    if status != 200:
        raise Unmeasured(f"It answered {status}: {_read_refusal(arrivals)}")
    sample = read_sample(_CHAT, "streamed", arrivals)
    usage = _find_usage(arrivals)
    return Answer(
        asked=arrivals.sent,
        times=tuple(arrivals.sent + time for time in sample.timeline.tokens),
        tokens=read_count({"usage": usage}) or len(sample.timeline.tokens),
        text=sample.text,
        prompt_tokens=usage.get("prompt_tokens"),
    )


def get_json(address: Address, path: str, seconds: float = 2.0) -> Json:
    """What the server answers there; None where there is no server, no such path or no JSON."""
    with closing(HTTPConnection(address.host, address.port, timeout=seconds)) as connection:
        try:
            connection.request("GET", address.path + path, headers=address.headers)
            response = connection.getresponse()
            body = response.read()
            return json.loads(body) if response.status == 200 else None
        except (OSError, HTTPException, ValueError):
            return None


def choose_model(address: Address) -> str:
    """The first model that the server lists."""
    match get_json(address, "/v1/models"):
        case {"data": [{"id": str(model)}, *_]}:
            return model
    return "default"


def _find_usage(arrivals: Arrivals) -> dict[str, int]:
    """What the last events say of token counts; empty where they say nothing."""
    stream = EventStream()
    payloads = [payload for _, read in arrivals.reads for payload in stream.feed(read) if payload != DONE]
    for payload in reversed(payloads[-3:]):
        usage = json.loads(payload).get("usage")
        if usage:
            return dict(usage)
    return {}


def _read_refusal(arrivals: Arrivals) -> str:
    text = b"".join(read for _, read in arrivals.reads).decode(errors="replace")
    with suppress(ValueError):
        return (read_error(json.loads(text)) or text)[:200]
    return text[:200] or "nothing more"
