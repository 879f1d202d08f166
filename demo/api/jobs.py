"""Jobs: runs that are asked for now and fetched later. Each counts what its delivery cost. Knows no route."""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from demo.api.answer import Answer
from demo.api.errors import Json, Refused, say
from demo.api.native import write_stream_details, write_token
from demo.api.webhooks import Webhook
from demo.events import Failed, Token
from demo.run import Run

State: TypeAlias = Literal["queued", "running", "done", "failed", "cancelled"]

KEEP_SECONDS: Final = 600.0  # how long a result can be fetched after its end
KEEP_JOBS: Final = 1000


@dataclass(slots=True)
class Report:
    """What it took to get one answer to its reader: replies, replies with nothing new, bytes, and waiting.

    A token's staleness is how long it had been there when its reader got it, in seconds.
    """

    requests: int = 0
    empty_replies: int = 0
    bytes: int = 0
    staleness: list[float] = field(default_factory=list)

    def count(self, tokens: Sequence[Token], size: int) -> None:
        """One reply of `size` bytes with `tokens` that its reader had not had."""
        self.requests += 1
        self.empty_replies += not tokens
        self.bytes += size
        self.note_arrival(tokens)

    def note_arrival(self, tokens: Sequence[Token]) -> None:
        """`tokens` have reached their reader, now."""
        now = time.perf_counter()
        self.staleness += [now - token.time for token in tokens]

    def write(self) -> Json:
        """As JSON; the staleness is the mean, None before the first token."""
        mean = sum(self.staleness) / len(self.staleness) if self.staleness else None
        return {
            "requests": self.requests,
            "empty_replies": self.empty_replies,
            "bytes": self.bytes,
            "mean_staleness": mean,
        }


class Job:
    """A run that goes on without a connection. Holds it until it has ended."""

    def __init__(self, run: Run, webhook: Webhook | None) -> None:
        self.id = secrets.token_urlsafe(16)
        self.run = run
        self.webhook = webhook
        self.polled = Report()
        self._told = 0  # tokens that have been fetched
        self._reader = run.attach()

    def read(self) -> Answer:
        """The answer so far."""
        answer = Answer(self.run)
        for event in self.run.events:
            answer.add(event)
        return answer

    def cancel(self) -> None:
        """Stop the work. What there is can still be fetched."""
        self.run.cancel()

    def let_go(self) -> None:
        """Stop holding the run."""
        self._reader.close()

    def tell(self, since: int) -> Json:
        """What is new after token `since`, and how the job stands."""
        answer = self.read()
        return {
            "id": self.id,
            "next": max(since, len(answer.tokens)),
            "tokens": [{"index": token.index, **write_token(token)} for token in answer.tokens[since:]],
            **describe(answer),
            "webhook": self.webhook.write() if self.webhook else None,
            "report": self.polled.write(),
        }

    def note_reply(self, next: int, size: int) -> None:
        """A reply of `size` bytes has told the tokens up to `next`."""
        answer = self.read()
        self.polled.count(answer.tokens[self._told : next], size)
        self._told = max(self._told, next)


def describe(answer: Answer) -> Json:
    """A job's state, and its result once there is one."""
    state = find_state(answer)
    done = state == "done"
    return {
        "state": state,
        "generated_text": answer.text if done else None,
        "details": write_stream_details(answer) if done else None,
        "error": say(answer.error) if answer.error else None,
    }


def find_state(answer: Answer) -> State:
    """Where a job stands."""
    if answer.end is None:
        return "running" if answer.started else "queued"
    if isinstance(answer.end, Failed):
        return "failed"
    return "cancelled" if answer.error else "done"


class Jobs:
    """All jobs that can still be fetched. Results expire."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}

    def add(self, run: Run, webhook: Webhook | None) -> Job:
        """A new job for a run that has begun."""
        self._expire()
        job = Job(run, webhook)
        self._jobs[job.id] = job
        return job

    def find(self, id: str) -> Job:
        """Raises Refused (404) where there is none, or no more."""
        self._expire()
        if id not in self._jobs:
            raise Refused("not_found", f"There is no job {id!r}: it never was, or its result has expired.")
        return self._jobs[id]

    def _expire(self) -> None:
        limit = time.perf_counter() - KEEP_SECONDS
        ended = [(job, end.time) for job in self._jobs.values() if (end := job.run.end) is not None]
        too_many = len(ended) - KEEP_JOBS
        for job in [job for number, (job, at) in enumerate(ended) if number < too_many or at < limit]:
            job.let_go()
            del self._jobs[job.id]
