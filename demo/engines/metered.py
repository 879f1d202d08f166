"""What Prometheus is told: an engine that counts and times every run it is given, the page's as the API's.

Names are text-generation-inference's where it has one; time to first token, the gap between tokens and the cached
tokens are ours.
"""

import threading
import time
from collections import Counter as Tally
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from demo.errors import DemoError
from demo.events import Done, Engine, Event, Failed, Load, Log, Piece, Prompt, Request, Started, Status, Ticket, Token

SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
CACHED = "tgi_request_cached_tokens"
COUNTERS = {
    **dict.fromkeys(
        ("tgi_request_count", "tgi_request_success", "tgi_request_cancelled", "tgi_request_failure"),
        "Requests, of all kinds or by the kind of failure",
    ),
    CACHED: "Tokens of prompts that were reused and not computed, of those in tgi_request_input_length",
}
TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536)


class Metrics:
    """Counters and histograms of one server, and how to write them down."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._counts: Tally[tuple[str, str]] = Tally()
        self._counting = threading.Lock()
        self.registry = CollectorRegistry()
        self.registry.register(self)

        def seconds(name: str, text: str) -> Histogram:
            return Histogram(f"tgi_request_{name}", f"{text}, in seconds", buckets=SECONDS, registry=self.registry)

        def tokens(name: str, text: str) -> Histogram:
            return Histogram(f"tgi_request_{name}", text, buckets=TOKENS, registry=self.registry)

        self.duration = seconds("duration", "From the request to its last event")
        self.validation = seconds("validation_duration", "Until the engine admitted it")
        self.queue = seconds("queue_duration", "Until its prompt was read")
        self.inference = seconds("inference_duration", "From there to the last event")
        self.mean_time_per_token = seconds("mean_time_per_token_duration", "Inference time over the tokens")
        self.time_to_first_token = seconds("time_to_first_token", "From the request to its first visible text")
        self.inter_token = seconds("inter_token_latency", "Between one token and the next")
        self.input_length = tokens("input_length", "Tokens of the prompt")
        self.max_new_tokens = tokens("max_new_tokens", "The most tokens asked for")
        self.generated_tokens = tokens("generated_tokens", "Tokens generated")

    def count(self, name: str, label: str = "", by: int = 1) -> None:
        """One more, or so many. From any thread."""
        with self._counting:
            self._counts[name, label] += by

    def collect(self) -> Iterator[Metric]:
        """Called by prometheus_client. TGI's counters do not end in `_total`, which its own counters would."""
        with self._counting:
            counts = dict(self._counts)
        for name, text in COUNTERS.items():
            metric = Metric(name, text, "unknown")
            for (counted, label), value in counts.items():
                if counted == name:
                    metric.add_sample(name, {"err": label} if label else {}, value)
            yield metric
        load = self._engine.load
        for name, text, value in (
            ("tgi_batch_current_size", "Requests whose tokens are generated now", load.running),
            ("tgi_queue_size", "Requests admitted and not yet in the batch", load.waiting),
            ("tgi_concurrent_requests_limit", "Requests admitted at once", load.limit),
        ):
            yield GaugeMetricFamily(name, text, value)

    def write(self) -> bytes:
        """Prometheus' text format, version 0.0.4."""
        return generate_latest(self.registry)


class MeteredEngine(Engine):
    """An engine whose every run is counted and timed, whoever asked for it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.metrics = Metrics(engine)

    @property
    def status(self) -> Status:
        return self._engine.status

    @property
    def load(self) -> Load:
        return self._engine.load

    def admit(self) -> None:
        try:
            self._engine.admit()
        except DemoError as error:
            self._count_refusal(error)
            raise

    def tokenize(self, prompt: Prompt) -> tuple[str, tuple[Piece, ...]]:
        return self._engine.tokenize(prompt)

    def submit(self, request: Request, log: Log) -> Ticket:
        recorder = _Recorder(self.metrics, request, log)
        try:
            ticket = self._engine.submit(request, recorder)
        except DemoError as error:
            self._count_refusal(error)
            raise
        recorder.note_admission()
        return ticket

    def close(self) -> None:
        self._engine.close()

    def _count_refusal(self, error: DemoError) -> None:
        self.metrics.count("tgi_request_count")
        self.metrics.count("tgi_request_failure", error.kind)


class _Recorder:
    """Stands between the engine and one run's log, and tells the metrics what passes."""

    def __init__(self, metrics: Metrics, request: Request, log: Log) -> None:
        self._metrics = metrics
        self._request = request
        self._log = log
        self._submitted = time.perf_counter()
        self._started: float | None = None
        self._last_token: float | None = None
        self._seen_text = False

    def note_admission(self) -> None:
        """The engine took it."""
        self._metrics.count("tgi_request_count")
        self._metrics.validation.observe(time.perf_counter() - self._submitted)
        if self._request.max_new_tokens is not None:
            self._metrics.max_new_tokens.observe(self._request.max_new_tokens)

    def __call__(self, *events: Event) -> None:
        self._log(*events)
        for event in events:
            if isinstance(event, Token):
                self._note_token(event)
            elif isinstance(event, Started):
                self._note_start(event)
            elif isinstance(event, Done | Failed):
                self._note_end(event)

    def _note_start(self, started: Started) -> None:
        self._started = started.time
        self._metrics.queue.observe(started.time - self._submitted)
        self._metrics.input_length.observe(started.input_tokens)
        self._metrics.count(CACHED, by=started.cached_tokens)

    def _note_token(self, token: Token) -> None:
        if token.text and not self._seen_text:
            self._seen_text = True
            self._metrics.time_to_first_token.observe(token.time - self._submitted)
        if self._last_token is not None:
            self._metrics.inter_token.observe(token.time - self._last_token)
        self._last_token = token.time

    def _note_end(self, end: Done | Failed) -> None:
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
