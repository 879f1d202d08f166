"""`python -m demo.bench leave URL`: leave a request in each way, and count what the server computed after that.

What was computed is read from the server's metrics, once it has had time to compute a whole answer. What had been
computed before is what had arrived; of a whole reply, what the fastest of some streams had received after that time.
"""

import json
import re
import socket
import struct
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from typing import Final

from demo.bench.dialects import Mode
from demo.bench.recorded import parse_response
from demo.bench.sample import MeasurementError, read_events
from demo.bench.target import Target

# Each program's own name for the tokens that it has generated; this project counts under TGI's. Of a name with several
# label sets (models, replicas) the sum is taken.
COUNTERS: Final = (
    "tgi_request_generated_tokens_sum",  # this project; text-generation-inference, for requests that succeeded
    "vllm:generation_tokens_total",
    "llamacpp:tokens_predicted_total",  # llama-server --metrics
    "sglang:generation_tokens_total",  # SGLang --enable-metrics
)
RECEIVED: Final = 8  # tokens after which a stream is left
_CALIBRATIONS: Final = 3
_READ_SIZE: Final = 1 << 16
_RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER with no time: close() sends RST


@dataclass(frozen=True, slots=True)
class Way:
    """How a client leaves: after `delay` seconds, which follow from the times of a streamed answer's tokens.

    `received` tokens have been computed by then. Without a delay it leaves once some tokens have arrived.
    """

    name: str
    mode: Mode
    delay: Callable[[Sequence[float]], float] | None = None
    received: int = 0
    repeats: int = 1  # of the prompt
    resets: bool = False


@dataclass(frozen=True, slots=True)
class Departure:
    """What came of leaving in one way, in tokens. `after` is None where the server does not count such requests."""

    way: str
    received: int
    computed: float

    @property
    def after(self) -> float | None:
        return None if self.received and not self.computed else max(0.0, self.computed - self.received)


class Leaver:
    """Leaves one server's requests. `arrivals`: when the tokens of a streamed answer came, in seconds."""

    def __init__(self, target: Target, settle: float) -> None:
        self.target = target
        self._settle = settle
        self.counter, _ = self._count()
        samples = [target.measure("streamed") for _ in range(_CALIBRATIONS)]
        # Of each token the earliest time, since one stream may have been held up.
        self.arrivals = [min(times) for times in zip(*(each.timeline.tokens for each in samples), strict=False)]
        self._whole = max(each.total for each in samples)
        if len(self.arrivals) < 3 * RECEIVED:
            what = f"The answer has only {len(self.arrivals)} tokens: choose a --prompt with a longer one."
            raise MeasurementError(what)

    def leave(self, way: Way) -> Departure:
        """Leave once, and wait for as long as a whole answer takes."""
        _, before = self._count()
        client, dialect, request = self.target.client, self.target.dialect, self.target.request
        request = replace(request, prompt=" ".join([request.prompt] * way.repeats))
        with closing(client.connect().sock) as connection:
            connection.sendall(client.write_post(dialect.path(way.mode), dialect.body(request, way.mode)))
            arrived = b""
            if way.delay is None:
                arrived = _wait_for_tokens(connection)
            else:
                time.sleep(way.delay(self.arrivals))
            if way.resets:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        received = self._count_tokens(arrived) if arrived else way.received
        time.sleep(way.repeats**0.5 * self._whole + self._settle)
        return Departure(way.name, received, self._count()[1] - before)

    def _count_tokens(self, raw: bytes) -> int:
        response = parse_response(0.0, 0.0, [(0.0, raw)], is_cut=True)
        if isinstance(response, MeasurementError):
            raise response
        events = [event for _, event in read_events(response)]
        return sum(self.target.dialect.read_event(event) is not None for event in events)

    def _count(self) -> tuple[str, float]:
        client = self.target.client
        if (found := count_generated(client.get_text("/metrics"))) is None:
            raise MeasurementError(
                f"{client.url}/metrics has no count of generated tokens that is known here ({', '.join(COUNTERS)}): "
                "what it computes after a client has left can't be seen. llama-server shows it with --metrics, "
                "SGLang with --enable-metrics."
            )
        return found


def _wait_for_tokens(connection: socket.socket) -> bytes:
    """What has arrived once there are some tokens: counted later, so that nothing is computed meanwhile."""
    raw = b""
    while raw.count(b"data:") <= RECEIVED:
        if not (piece := connection.recv(_READ_SIZE)):
            raise MeasurementError("The stream ended before it could be left.")
        raw += piece
    return raw


WAYS: Final = (
    Way("before the headers", "streamed", lambda times: 0.0),
    # Half the time that the short prompt takes: the long one takes longer.
    Way("while the prompt is read", "streamed", lambda times: times[0] / 2, repeats=16),
    Way("in the middle of a stream", "streamed"),
    Way("in the middle, reset (RST)", "streamed", resets=True),
    Way("in a whole reply", "whole", lambda times: (times[RECEIVED - 1] + times[RECEIVED]) / 2, RECEIVED),
)


def measure_leaving(target: Target, server: str, settle: float) -> str:
    """The report on a server, by its name and version: a table, a sentence and, as the last line, JSON."""
    leaver = Leaver(target, settle)
    departures = [leaver.leave(way) for way in WAYS]
    asked = f"dialect {target.dialect.name} · model {target.request.model}"
    title = f"{target.client.url} · {server} · {asked} · {leaver.counter}"
    head = f"{'the client left':<30}{'received':>10}{'computed':>10}{'after it left':>15}"
    rows = [f"{each.way:<30}{each.received:>10}{each.computed:>10g}{_write(each.after):>15}" for each in departures]
    whole = len(leaver.arrivals)
    document = {"departures": [{**asdict(each), "after": each.after} for each in departures], "whole_answer": whole}
    lines = [title, "", head, *rows, "", _describe(departures, whole), "", json.dumps(document, allow_nan=False)]
    return "\n".join(lines)


def _describe(departures: Sequence[Departure], whole: int) -> str:
    """A sentence; `whole`: the tokens of an answer that is not left."""
    counted = [each.after for each in departures if each.after is not None]
    uncounted = len(departures) - len(counted)
    most = (
        f"At most {max(counted):g} tokens were computed after the client had left" if counted else "Nothing was counted"
    )
    missing = f"; {uncounted} of {len(departures)} requests that were left are not in its metrics" if uncounted else ""
    return f"{most}; an answer that is not left has {whole}{missing}."


def _write(tokens: float | None) -> str:
    return "not counted" if tokens is None else f"{tokens:g}"


def count_generated(metrics: str) -> tuple[str, float] | None:
    """The counter's name and value, from a server's Prometheus metrics; None where they have none that is known.

    The text format: https://prometheus.io/docs/instrumenting/exposition_formats/#text-format-details
    """
    for name in COUNTERS:
        values = re.findall(rf"^{re.escape(name)}(?:\{{[^\n]*\}})?\s+(\S+)", metrics, re.MULTILINE)
        if values:
            return name, sum(map(float, values))
    return None
