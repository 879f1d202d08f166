"""Jobs: runs that are requested now and fetched later, for as long as their results are kept. Know no route."""

import secrets
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Final

from demo.api.dialects.answer import Answer
from demo.api.dialects.errors import Refused, format_error
from demo.api.dialects.native import write_stream_details, write_token
from demo.api.jobs.report import DeliveryReport
from demo.api.jobs.run_size import measure_run
from demo.api.jobs.webhook import Webhook
from demo.api.openapi import reports
from demo.api.traffic import Traffic
from demo.client_key import find_address_key
from demo.events import Failed
from demo.run import Run

KEEP_SECONDS: Final = 600.0  # how long a result can be fetched after the job's end
KEEP_BYTES: Final = 32 * 1024 * 1024  # of all results
UNASKED_SECONDS: Final = 60.0  # after which a job ends that nobody has asked about and that has no webhook
REPORT_SHARE: Final = 2  # how much larger a run is with the reports of its delivery, at most


class Job:
    """Holds its run until it is released: no connection is needed. Counts what each way of delivery costs."""

    def __init__(self, run: Run, webhook: Webhook | None, returns_progress: bool = False) -> None:
        self.id = secrets.token_urlsafe(16)
        self.run = run
        self.webhook = webhook
        self.returns_progress = returns_progress
        self.polled = DeliveryReport(run.submitted)
        self.streamed = DeliveryReport(run.submitted)
        self._reader = run.attach()
        self.touch()

    @cached_property
    def size(self) -> int:
        """The bytes that it takes, about, once it has ended."""
        return REPORT_SHARE * measure_run(self.run)

    def read(self) -> Answer:
        return Answer.of(self.run)

    def touch(self) -> None:
        """A client has asked about the job, or is being told of it."""
        self.asked = time.perf_counter()

    def release(self) -> None:
        self._reader.close()

    def write(self, since: int) -> reports.JobState:
        """The state, and the tokens after token `since`, as JSON."""
        answer = self.read()
        result = write_result(answer)
        return {
            "id": self.id,
            "next": max(since, len(answer.tokens)),
            "tokens": [{"index": token.index, **write_token(token)} for token in answer.tokens[since:]],
            "state": result["state"],
            "generated_text": result["generated_text"],
            "details": result["details"],
            "error": result["error"],
        }

    def record_poll(self, next: int, traffic: Traffic | None) -> None:
        """Count a reply with the tokens up to `next`."""
        delivered = self.polled.delivered
        self.polled.record_request(traffic)
        self.polled.record_arrival(self.read().tokens[:next])
        self.polled.empty_replies += self.polled.delivered == delivered

    def write_report(self) -> reports.Report:
        """The cost of each way of delivery, and the time of each token, as JSON."""
        return {
            "tokens": [token.time - self.run.submitted for token in self.read().tokens],
            "streamed": self.streamed.write(),
            "polled": self.polled.write(),
            "webhook": self.webhook.write() if self.webhook else None,
        }


def write_result(answer: Answer) -> reports.JobResult:
    """A job's state and, if it has ended, its result or error."""
    state = find_state(answer)
    done = state == "done"
    return {
        "state": state,
        "generated_text": answer.text if done else None,
        "details": write_stream_details(answer) if done else None,
        "error": format_error(answer.error) if answer.error else None,
    }


def find_state(answer: Answer) -> reports.State:
    if answer.end is None:
        return "running" if answer.started else "queued"
    if isinstance(answer.end, Failed):
        return "failed"
    return "cancelled" if answer.error else "done"


class JobStore:
    """The jobs whose results can still be fetched. Results expire, their memory is bounded, and forgotten jobs end.

    The memory is shared between addresses: nobody's results push out those of another who keeps less.
    """

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}

    def add(self, run: Run, webhook: Webhook | None, returns_progress: bool) -> Job:
        self._expire()
        job = Job(run, webhook, returns_progress)
        self._jobs[job.id] = job
        return job

    def find(self, id: str) -> Job:
        """A job that somebody asks about. Raises Refused (404) for an unknown or expired one."""
        self._expire()
        if id not in self._jobs:
            raise Refused("not_found", f"There is no job {id!r}: it never existed, or its result has expired.")
        self._jobs[id].touch()
        return self._jobs[id]

    def cancel_unasked(self, seconds: float = UNASKED_SECONDS) -> None:
        """Stop the jobs that nobody waits for, and drop the results that have expired."""
        self._expire()
        limit = time.perf_counter() - seconds
        for job in self._jobs.values():
            if job.webhook is None and job.run.end is None and job.asked < limit:
                job.run.cancel()

    def _expire(self) -> None:
        limit = time.perf_counter() - KEEP_SECONDS
        ended = [(job, end.time) for job in self._jobs.values() if (end := job.run.end) is not None]
        for job in [job for job, at in ended if at < limit]:
            self._drop(job)
        kept = [job for job, at in ended if at >= limit]
        for job in choose_dropped(kept, sum(job.size for job in kept) - KEEP_BYTES):
            self._drop(job)

    def _drop(self, job: Job) -> None:
        job.release()
        del self._jobs[job.id]


def choose_dropped(ended: Sequence[Job], excess: int) -> Iterator[Job]:
    """Those of `ended`, oldest first, that take `excess` bytes: each time the oldest of the address that keeps most.

    Thus whoever sends many jobs pushes out results of its own.
    """
    jobs, sizes = defaultdict[str, deque[Job]](deque), Counter[str]()
    for job in ended:
        address = find_address_key(job.run.request.client or "")
        jobs[address].append(job)
        sizes[address] += job.size
    while excess > 0:
        ((address, _),) = sizes.most_common(1)
        job = jobs[address].popleft()
        sizes[address] -= job.size
        excess -= job.size
        yield job
