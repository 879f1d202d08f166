"""A job: a run that is requested now and fetched later. Knows no route."""

import secrets
import time
from functools import cached_property
from typing import Final

from demo.api.dialects.answer import Answer
from demo.api.dialects.errors import format_error
from demo.api.dialects.native import write_stream_details, write_token
from demo.api.jobs.report import DeliveryReport
from demo.api.jobs.run_size import measure_run
from demo.api.jobs.webhook import Webhook
from demo.api.openapi import reports
from demo.api.traffic import Traffic
from demo.events import Failed
from demo.run import Run

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
