"""The benchmark's own error: it measures a server that says when it wrote each token, and compares."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from demo.bench.client import Client
from demo.bench.dialects import DIALECTS, Request
from demo.bench.load import Percentiles, take_percentiles
from demo.bench.sample import MeasurementError, TimedResponse, read_events

STREAMS: Final = 64
GOAL: Final = 0.0002  # seconds
_SPREAD: Final = 0.5  # seconds over which the streams start
_DIALECT: Final = DIALECTS["chat"]


@dataclass(frozen=True, slots=True)
class Bias:
    """How much later than the truth, in seconds, at `streams` concurrent streams.

    `arrival`: the time of each token, against the server's own time of writing it. `ttft`: against the server's time
    from having read the request, so that the way of the request is in it too. `gap`: the error of each ITL.
    """

    streams: int
    arrival: Percentiles
    ttft: Percentiles
    gap: Percentiles

    @property
    def is_within_goal(self) -> bool:
        """Whether the client's own stamps are; the TTFT also has the server's waking up in it."""
        return all(each.p50 is not None and abs(each.p50) <= GOAL for each in (self.arrival, self.gap))


def measure_bias(streams: int = STREAMS) -> Bias:
    """Stream from the reference server, all at once. Raises MeasurementError where a stream fails."""
    body = _DIALECT.body(Request("reference", "", 1), "streamed")
    with start_reference_server() as url:
        starts = [_SPREAD * index / streams for index in range(streams)]
        responses = Client(url, timeout=20).post_on_schedule(_DIALECT.path("streamed"), [body] * streams, starts)
    return compare_stamps(responses)


def compare_stamps(responses: Sequence[TimedResponse | MeasurementError]) -> Bias:
    """The client's times against those that the events hold."""
    arrivals, ttfts, gaps = [], [], []
    for response in responses:
        if isinstance(response, MeasurementError):
            raise response
        events = [(time, event["at"], event["since"]) for time, event in read_events(response)]
        late = [time - written for time, written, _ in events]
        arrivals += late
        ttfts.append(events[0][0] - response.sent - events[0][2])
        gaps += [later - earlier for earlier, later in pairwise(late)]
    return Bias(len(responses), take_percentiles(arrivals), take_percentiles(ttfts), take_percentiles(gaps))


@contextmanager
def start_reference_server() -> Iterator[str]:
    """The address of the reference server, in a process that ends with the block."""
    command = [sys.executable, "-m", "demo.bench.reference_server"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            port = process.stdout.readline().strip()
            if not port:
                raise MeasurementError("The reference server of the self-test did not start.")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()
