"""Jobs: runs that are asked for now and fetched later. Each counts what its delivery cost. Knows no route."""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from demo.api.dialects.answer import Answer
from demo.api.dialects.errors import Refused, say
from demo.api.dialects.native import write_stream_details, write_token
from demo.api.jobs.webhooks import Webhook
from demo.api.openapi import reports
from demo.api.traffic import Traffic
from demo.events import Failed, Token
from demo.run import Run

State: TypeAlias = Literal["queued", "running", "done", "failed", "cancelled"]

KEEP_SECONDS: Final = 600.0  # how long a result can be fetched after its end
KEEP_JOBS: Final = 1000


@dataclass(slots=True)
class Report:
    """What it took to bring one answer to its reader one way: requests, those with nothing new, bytes, and waiting.

    A token's staleness is how long it had been there when it was sent, in seconds. `arrivals` has an entry for each
    sending that brought something: when, and how many tokens the reader then had.
    """

    submitted: float
    requests: int = 0
    empty_replies: int = 0
    traffic: list[Traffic] = field(default_factory=list)
    staleness: list[float] = field(default_factory=list)
    arrivals: list[tuple[float, int]] = field(default_factory=list)

    @property
    def told(self) -> int:
        """How many tokens the reader has."""
        return len(self.staleness)

    def note_request(self, traffic: Traffic | None) -> None:
        """The reader has asked; its connection adds to `traffic`."""
        self.requests += 1
        if traffic is not None:
            self.traffic.append(traffic)

    def note_arrival(self, tokens: Sequence[Token], at: float | None = None) -> None:
        """The reader has all of `tokens`, counted from the first, now or since `at`."""
        new, at = tokens[self.told :], time.perf_counter() if at is None else at
        if new:
            self.staleness += [at - token.time for token in new]
            self.arrivals.append((at, self.told))

    def write(self) -> reports.WayReport:
        """As JSON; the staleness is the mean. None before the first token, and for bytes that nobody counted."""
        is_counted = bool(self.traffic) or not self.requests
        return {
            "requests": self.requests,
            "empty_replies": self.empty_replies,
            "request_bytes": sum(each.request for each in self.traffic) if is_counted else None,
            "reply_bytes": sum(each.reply for each in self.traffic) if is_counted else None,
            "mean_staleness": sum(self.staleness) / self.told if self.told else None,
            "arrivals": [(at - self.submitted, told) for at, told in self.arrivals],
        }


class Job:
    """A run that goes on without a connection. Holds it until it has ended."""

    def __init__(self, run: Run, webhook: Webhook | None, returns_progress: bool = False) -> None:
        self.id = secrets.token_urlsafe(16)
        self.run = run
        self.webhook = webhook
        self.returns_progress = returns_progress
        self.polled = Report(run.submitted)
        self.streamed = Report(run.submitted)
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

    def release(self) -> None:
        """Stop holding the run."""
        self._reader.close()

    def tell(self, since: int) -> reports.JobState:
        """What is new after token `since`, and how the job stands."""
        answer = self.read()
        result = describe(answer)
        return {
            "id": self.id,
            "next": max(since, len(answer.tokens)),
            "tokens": [{"index": token.index, **write_token(token)} for token in answer.tokens[since:]],
            "state": result["state"],
            "generated_text": result["generated_text"],
            "details": result["details"],
            "error": result["error"],
        }

    def note_reply(self, next: int, traffic: Traffic | None) -> None:
        """A reply has told the tokens up to `next`."""
        told = self.polled.told
        self.polled.note_request(traffic)
        self.polled.note_arrival(self.read().tokens[:next])
        self.polled.empty_replies += self.polled.told == told

    def report(self) -> reports.Report:
        """What each way to the answer took, and when the engine made each token."""
        return {
            "tokens": [token.time - self.run.submitted for token in self.read().tokens],
            "streamed": self.streamed.write(),
            "polled": self.polled.write(),
            "webhook": self.webhook.write() if self.webhook else None,
        }


def describe(answer: Answer) -> reports.JobResult:
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

    def add(self, run: Run, webhook: Webhook | None, returns_progress: bool = False) -> Job:
        """A new job for a run that has begun."""
        self._expire()
        job = Job(run, webhook, returns_progress)
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
            job.release()
            del self._jobs[job.id]
