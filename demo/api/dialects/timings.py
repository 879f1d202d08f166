"""Where the time of one answer went, from the events of its run. Knows no dialect."""

from collections.abc import Sequence
from dataclasses import dataclass

from demo.api.openapi.replies import StreamTimings
from demo.events import EngineReport, Event, Sent
from demo.metrics import measure_streamed
from demo.run import Run

MILLISECONDS = 1e3
HEADERS = ("total_time", "validation_time", "queue_time", "inference_time", "time_per_token")


@dataclass(frozen=True, slots=True)
class Timings:
    """In milliseconds of the engine's clock. None: the answer ended before that stage, or an engine elsewhere hides it.

    An engine elsewhere tells its queue from its prefill at most in its own figures, `engine`.
    """

    validation_time: float
    queue_time: float | None
    inference_time: float
    total_time: float
    time_per_token: float | None
    time_to_first_token: float | None
    prefill: float | None
    decode: float | None
    engine: tuple[tuple[str, float], ...] = ()
    time_to_first_answer: float | None = None  # of a model that has reasoned before it

    @classmethod
    def measure(cls, run: Run, events: Sequence[Event]) -> "Timings":
        """The timings of a run that has ended with the last of `events`."""
        timeline = measure_streamed(run.submitted, events)
        validation = run.admitted - run.submitted
        total = timeline.end or 0.0
        sent = next((event.time - run.submitted for event in events if isinstance(event, Sent)), None)
        started = next((time for time in (sent, timeline.started) if time is not None), total)
        inference, tokens = total - started, timeline.tokens
        return cls(
            validation_time=validation * MILLISECONDS,
            # The engine may take a request up before `submit` has returned.
            queue_time=max(started - validation, 0.0) * MILLISECONDS if sent is None else None,
            inference_time=inference * MILLISECONDS,
            total_time=total * MILLISECONDS,
            time_per_token=inference / len(tokens) * MILLISECONDS if tokens else None,
            time_to_first_token=None if timeline.ttft is None else timeline.ttft * MILLISECONDS,
            prefill=(tokens[0] - started) * MILLISECONDS if tokens and sent is None else None,
            decode=(tokens[-1] - tokens[0]) * MILLISECONDS if tokens else None,
            engine=next((event.figures for event in events if isinstance(event, EngineReport)), ()),
            time_to_first_answer=None if timeline.answered is None else timeline.answered * MILLISECONDS,
        )

    def as_details(self) -> StreamTimings:
        """For the last event of a stream, whose headers have been sent."""
        timings: StreamTimings = {
            "validation_time": round(self.validation_time, 3),
            "queue_time": self.queue_time and round(self.queue_time, 3),
            "inference_time": round(self.inference_time, 3),
            "total_time": round(self.total_time, 3),
            "time_per_token": self.time_per_token and round(self.time_per_token, 3),
            "time_to_first_token": self.time_to_first_token and round(self.time_to_first_token, 3),
        }
        if self.time_to_first_answer is not None:
            timings["time_to_first_answer"] = round(self.time_to_first_answer, 3)
        return {**timings, "engine": dict(self.engine)} if self.engine else timings

    def as_headers(self) -> dict[str, str]:
        """TGI's headers of a whole reply, most in whole milliseconds, and a Server-Timing."""
        told = [name for name in HEADERS if name != "queue_time" or self.queue_time is not None]
        headers = {f"x-{name.replace('_', '-')}": str(round(getattr(self, name) or 0.0)) for name in told}
        if self.time_to_first_token is not None:
            headers["x-time-to-first-token"] = f"{self.time_to_first_token:.3f}"
        if self.time_to_first_answer is not None:
            headers["x-time-to-first-answer"] = f"{self.time_to_first_answer:.3f}"
        stages = {"queue": self.queue_time, "prefill": self.prefill, "decode": self.decode, "total": self.total_time}
        headers["Server-Timing"] = ", ".join(f"{name};dur={ms:.3f}" for name, ms in stages.items() if ms is not None)
        return headers
