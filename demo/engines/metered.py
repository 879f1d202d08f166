"""Prometheus metrics: an Engine wrapper that counts and times every run, the page's as the API's.

Names are those of text-generation-inference where it has one; it has none for the time to first token, the latency
between tokens and the cached tokens.
"""

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from demo.engine import Engine, Log, Ticket
from demo.engines.wrapper import EngineWrapper, LogWrapper
from demo.errors import DemoError
from demo.events import Done, EngineReport, Event, Failed, Sent, Started, Token
from demo.request import Request

SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536)
CACHED = "tgi_request_cached_tokens"
COUNTERS = {
    **dict.fromkeys(
        ("tgi_request_count", "tgi_request_success", "tgi_request_cancelled", "tgi_request_failure"),
        "Requests, of all kinds or by the kind of failure",
    ),
    CACHED: "Tokens of prompts that were reused and not computed, of those in tgi_request_input_length",
}


class Metrics:
    """The counters and histograms of one server, as a prometheus_client collector."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._counts: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()
        self.registry = CollectorRegistry()
        self.registry.register(self)
        self.duration = self._add_seconds("duration", "From the request to its last event")
        self.validation = self._add_seconds("validation_duration", "Until the engine admitted it")
        self.queue = self._add_seconds("queue_duration", "Until its prompt was read")
        self.inference = self._add_seconds("inference_duration", "From there to the last event")
        self.mean_time_per_token = self._add_seconds("mean_time_per_token_duration", "Inference time over the tokens")
        self.time_to_first_token = self._add_seconds(
            "time_to_first_token", "From the request to its first visible text"
        )
        self.inter_token = self._add_seconds("inter_token_latency", "Between one token and the next")
        self.input_length = self._add_tokens("input_length", "Tokens of the prompt")
        self.max_new_tokens = self._add_tokens("max_new_tokens", "The most tokens asked for")
        self.generated_tokens = self._add_tokens("generated_tokens", "Tokens generated")

    def count(self, name: str, label: str = "", by: int = 1) -> None:
        """Add `by` to a counter. From any thread."""
        with self._lock:
            self._counts[name, label] += by

    def collect(self) -> Iterator[Metric]:
        """Called by prometheus_client. TGI's counters do not end in `_total`, which prometheus_client would append."""
        with self._lock:
            counts = dict(self._counts)
        for name, text in COUNTERS.items():
            metric = Metric(name, text, "unknown")
            for (counted, label), value in counts.items():
                if counted == name:
                    metric.add_sample(name, {"err": label} if label else {}, value)
            yield metric
        load = self._engine.load
        yield GaugeMetricFamily("tgi_batch_current_size", "Requests whose tokens are generated now", load.running)
        yield GaugeMetricFamily("tgi_queue_size", "Requests admitted and not yet in the batch", load.waiting)
        yield GaugeMetricFamily("tgi_concurrent_requests_limit", "Requests admitted at once", load.limit)

    def write(self) -> bytes:
        """Prometheus' text format, version 0.0.4."""
        return generate_latest(self.registry)

    def _add_seconds(self, name: str, text: str) -> Histogram:
        return Histogram(f"tgi_request_{name}", f"{text}, in seconds", buckets=SECONDS, registry=self.registry)

    def _add_tokens(self, name: str, text: str) -> Histogram:
        return Histogram(f"tgi_request_{name}", text, buckets=TOKENS, registry=self.registry)


class MeteredEngine(EngineWrapper):
    """Counts and times every run and every refusal of `engine`."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.metrics = Metrics(engine)

    def admit(self) -> None:
        try:
            super().admit()
        except DemoError as error:
            self._count_refusal(error)
            raise

    # Way 9: The metrics wrap the log, to count and time what is written to it
    def submit_all(self, requests: Sequence[Request], logs: Sequence[Log]) -> Sequence[Ticket]:
        recorders = [_Recorder(self.metrics, log) for log in logs]
        try:
            tickets = super().submit_all(requests, recorders)
        except DemoError as error:
            self._count_refusal(error, len(requests))
            raise
        for request, recorder in zip(requests, recorders, strict=True):
            recorder.record_admission(request)
        return tickets

    def _count_refusal(self, error: DemoError, requests: int = 1) -> None:
        self.metrics.count("tgi_request_count", by=requests)
        self.metrics.count("tgi_request_failure", error.kind, by=requests)


class _Recorder(LogWrapper):
    def __init__(self, metrics: Metrics, log: Log) -> None:
        super().__init__(log)
        self._metrics = metrics
        self._submitted = time.perf_counter()
        self._started: float | None = None
        self._is_elsewhere = False
        self._last_token: float | None = None
        self._has_text = False

    def record_admission(self, request: Request) -> None:
        self._metrics.count("tgi_request_count")
        self._metrics.validation.observe(time.perf_counter() - self._submitted)
        if request.max_new_tokens is not None:
            self._metrics.max_new_tokens.observe(request.max_new_tokens)

    def observe(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, Token):
                self._record_token(event)
            elif isinstance(event, Started):
                self._record_start(event)
            elif isinstance(event, Sent):
                self._is_elsewhere, self._started = True, event.time
            elif isinstance(event, EngineReport):
                self._record_prompt(event.input_tokens, event.cached_tokens)
            elif isinstance(event, Done | Failed):
                self._record_end(event)

    def _record_start(self, started: Started) -> None:
        if self._is_elsewhere:  # its queue is unknown, and its counts are reported at the end
            return
        self._started = started.time
        self._metrics.queue.observe(started.time - self._submitted)
        self._record_prompt(started.input_tokens, started.cached_tokens)

    def _record_prompt(self, input_tokens: int | None, cached_tokens: int | None) -> None:
        if input_tokens is not None:
            self._metrics.input_length.observe(input_tokens)
        if cached_tokens is not None:
            self._metrics.count(CACHED, by=cached_tokens)

    def _record_token(self, token: Token) -> None:
        if token.text and not self._has_text:
            self._has_text = True
            self._metrics.time_to_first_token.observe(token.time - self._submitted)
        if self._last_token is not None:
            self._metrics.inter_token.observe(token.time - self._last_token)
        self._last_token = token.time

    def _record_end(self, end: Done | Failed) -> None:
        self._metrics.duration.observe(end.time - self._submitted)
        if isinstance(end, Failed):
            self._metrics.count("tgi_request_failure", end.error.kind)
            return
        self._metrics.count("tgi_request_success" if end.finish_reason != "cancelled" else "tgi_request_cancelled")
        self._metrics.generated_tokens.observe(end.generated_tokens)
        if self._started is not None:
            inference = end.time - self._started
            self._metrics.inference.observe(inference)
            if end.generated_tokens:
                self._metrics.mean_time_per_token.observe(inference / end.generated_tokens)
