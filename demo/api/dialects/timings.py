"""Where the time of one answer went, from the events of its run. Knows no dialect."""

from collections.abc import Sequence
from dataclasses import dataclass

from demo.events import Event
from demo.metrics import measure_streamed
from demo.run import Run

MILLISECONDS = 1e3


@dataclass(frozen=True, slots=True)
class Timings:
    """In milliseconds of the engine's clock. None: the answer ended before that stage."""

    validation: float
    queue: float
    inference: float
    total: float
    time_per_token: float | None
    time_to_first_token: float | None
    prefill: float | None
    decode: float | None

    @classmethod
    def measure(cls, run: Run, events: Sequence[Event]) -> "Timings":
        """The timings of a run that has ended with the last of `events`."""
        timeline = measure_streamed(run.submitted, events)
        validation = run.admitted - run.submitted
        total = timeline.end or 0.0
        started = total if timeline.started is None else timeline.started
        inference, tokens = total - started, timeline.tokens
        return cls(
            validation=validation * MILLISECONDS,
            # The engine may take a request up before `submit` has returned.
            queue=max(started - validation, 0.0) * MILLISECONDS,
            inference=inference * MILLISECONDS,
            total=total * MILLISECONDS,
            time_per_token=inference / len(tokens) * MILLISECONDS if tokens else None,
            time_to_first_token=None if timeline.ttft is None else timeline.ttft * MILLISECONDS,
            prefill=(tokens[0] - started) * MILLISECONDS if tokens else None,
            decode=(tokens[-1] - tokens[0]) * MILLISECONDS if tokens else None,
        )

    def as_details(self) -> dict[str, float | None]:
        """For the last event of a stream, whose headers have been sent."""
        details = {
            "validation_time": self.validation,
            "queue_time": self.queue,
            "inference_time": self.inference,
            "total_time": self.total,
            "time_per_token": self.time_per_token,
            "time_to_first_token": self.time_to_first_token,
        }
        return {name: None if value is None else round(value, 3) for name, value in details.items()}

    def as_headers(self) -> dict[str, str]:
        """TGI's headers of a whole reply, in whole milliseconds, its seconds of compute, and a Server-Timing."""
        milliseconds = {
            "x-total-time": self.total,
            "x-validation-time": self.validation,
            "x-queue-time": self.queue,
            "x-inference-time": self.inference,
            "x-time-per-token": self.time_per_token or 0.0,
        }
        headers = {name: str(round(value)) for name, value in milliseconds.items()}
        if self.time_to_first_token is not None:
            headers["x-time-to-first-token"] = f"{self.time_to_first_token:.3f}"
        stages = {"queue": self.queue, "prefill": self.prefill, "decode": self.decode, "total": self.total}
        headers["Server-Timing"] = ", ".join(f"{name};dur={ms:.3f}" for name, ms in stages.items() if ms is not None)
        return headers
