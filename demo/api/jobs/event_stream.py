"""A job's run as a stream of numbered events, which a browser's EventSource can resume.

WHATWG HTML, section 9.2: an event's `id` comes back as `Last-Event-ID`, and a reply of 204 ends the reconnecting.
"""

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from demo.api.delivery.streamed import NumberedStream
from demo.api.dialects import sse
from demo.api.dialects.native import NativeDialect, Parameters
from demo.api.jobs.job import Job
from demo.api.traffic import Traffic


class JobEventStream(NumberedStream):
    """The events of a job's run. Adds its cost to the job's report.

    A disconnect does not cancel the run, since the job has a reader of its own.
    """

    def __init__(self, job: Job, last_seen: int) -> None:
        # Details, and never the prompt, whatever the job's parameters are: as polling and the webhook.
        parameters = Parameters(details=True, return_progress=job.returns_progress)
        super().__init__(job.run, NativeDialect(parameters, device=""), last_seen)
        self._job, self._report = job, job.streamed

    @classmethod
    def open(cls, job: Job, last_seen: int, traffic: Traffic | None) -> Response:
        """The stream after event `last_seen`, or 204 if that was the last event."""
        job.streamed.record_request(traffic)
        answer = job.read()
        if answer.end is None or last_seen < len(answer.tokens) + (answer.error is not None):
            return cls(job, last_seen)
        job.streamed.empty_replies += 1
        return Response(status_code=204)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        delivered = self._report.delivered
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._report.empty_replies += self._report.delivered == delivered

    async def _transmit(self, message: Message) -> None:
        await super()._transmit(message)
        self._job.touch()  # also where the message only keeps the connection alive
        body = message.get("body", b"")
        if body and body != sse.KEEP_ALIVE:
            self._report.record_arrival(self._answers[0].tokens)
