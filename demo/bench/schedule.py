"""Requests sent at given times, each on a connection of its own, by one thread. Knows no dialect.

An open loop: a request starts when it is due, whatever became of those before it, and its latencies count from the time
at which it was due (coordinated omission: Gil Tene, "How NOT to Measure Latency"). So a client that is late makes a
server look slow, never fast. Connections are opened beforehand by other threads; nothing is parsed before the end.
"""

import selectors
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from ssl import SSLWantReadError
from typing import Final

from demo.bench.recorded import has_ended, parse_response
from demo.bench.sample import MeasurementError, TimedResponse

MAX_OPEN: Final = 900  # select() takes file descriptors below 1024
_LEAD: Final = 1.0  # seconds before a request is due that its connection is opened
_ACCEPTED: Final = 0.005  # seconds that the server has to accept the first connections
_OPENERS: Final = 16
_AWAKE: Final = 0.0003  # seconds before a request is due from which on the thread only polls: waking up takes time
_READ_SIZE: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Connector:
    """`open` returns a connection that is open; `requests` are the bytes to send, each on one of its own."""

    open: Callable[[], HTTPConnection]
    requests: Sequence[bytes]
    timeout: float


@dataclass(slots=True)
class Exchange:
    """A request: when it was due and when it was sent, and each read of what came back."""

    due: float
    sent: float = 0.0
    reads: list[tuple[float, bytes]] = field(default_factory=list)
    error: str | None = None


def exchange_on_schedule(connector: Connector, starts: Sequence[float]) -> list[TimedResponse | MeasurementError]:
    """The responses to requests that start at these seconds from the first, ascending; or why one has none."""
    schedule = _Schedule(connector, starts)
    try:
        schedule.run()
    finally:
        schedule.close()
    return [_read_exchange(exchange) for exchange in schedule.exchanges]


def _read_exchange(exchange: Exchange) -> TimedResponse | MeasurementError:
    if exchange.error is not None:
        return MeasurementError(exchange.error)
    return parse_response(exchange.due, exchange.sent - exchange.due, exchange.reads)


class _Schedule:
    """The loop. It uses select(): epoll rounds a timeout up to whole milliseconds, so requests would start late."""

    def __init__(self, connector: Connector, starts: Sequence[float]) -> None:
        self._connector = connector
        self._starts = starts
        self._openers = ThreadPoolExecutor(_OPENERS)
        self._opening: list[Future[HTTPConnection]] = []
        self._selector = selectors.SelectSelector()
        self._connections: dict[int, HTTPConnection] = {}
        self.exchanges: list[Exchange] = []

    def run(self) -> None:
        """Send and read until every response has ended; after too long a silence the rest are given up."""
        self._open_connections(0.0)
        for future in self._opening:
            with suppress(MeasurementError):
                future.result()
        begun = heard = time.perf_counter() + _ACCEPTED
        self.exchanges.extend(Exchange(begun + start) for start in self._starts)
        unsent = 0
        while unsent < len(self.exchanges) or self._connections:
            now = time.perf_counter()
            self._open_connections(now - begun)
            if self._send_if_due(unsent, now):
                unsent, heard = unsent + 1, now
            elif self._read_ready(self._wait(unsent, now)):
                heard = now
            elif now - heard > self._connector.timeout and self._connections:
                self._give_up(
                    f"The server was silent for {self._connector.timeout:g} s: is it busy, or is the timeout too short?"
                )

    def close(self) -> None:
        self._give_up("The measurement was interrupted.")
        for future in self._opening:
            with suppress(MeasurementError):
                future.result().close()
        self._openers.shutdown()
        self._selector.close()

    def _open_connections(self, elapsed: float) -> None:
        while len(self._opening) < len(self._starts) and self._starts[len(self._opening)] <= elapsed + _LEAD:
            self._opening.append(self._openers.submit(self._connector.open))

    def _send_if_due(self, index: int, now: float) -> bool:
        """Whether request `index` was sent. While its connection is still being opened, the others are read."""
        if index >= len(self.exchanges) or self.exchanges[index].due > now or not self._opening[index].done():
            return False
        exchange = self.exchanges[index]
        if len(self._connections) >= MAX_OPEN:
            exchange.error = f"More than {MAX_OPEN} requests were open at once: lower the rate."
            return True
        try:
            connection = self._opening[index].result()
            exchange.sent = time.perf_counter()
            connection.sock.sendall(self._connector.requests[index])
            connection.sock.setblocking(False)
        except (OSError, MeasurementError) as error:
            exchange.error = str(error)
            return True
        self._connections[index] = connection
        self._selector.register(connection.sock, selectors.EVENT_READ, index)
        return True

    def _wait(self, unsent: int, now: float) -> float:
        """Seconds to wait for bytes: until the next request is due, and at times to open connections."""
        if unsent >= len(self.exchanges):
            return min(self._connector.timeout, _LEAD)
        return min(max(self.exchanges[unsent].due - now - _AWAKE, 0.0), _LEAD / 4)

    def _read_ready(self, seconds: float) -> bool:
        """Whether bytes came. Each piece has the time at which it had been read: never one before it was written."""
        if not self._connections:  # Windows refuses a select() on nothing
            time.sleep(seconds)
            return False
        ready = self._selector.select(seconds)
        for key, _ in ready:
            if self._read(key.data):
                self._end(key.data)
        return bool(ready)

    def _read(self, index: int) -> bool:
        """Take what there is; whether the response has ended or the server has closed the connection."""
        exchange, connection = self.exchanges[index], self._connections[index]
        try:
            while piece := connection.sock.recv(_READ_SIZE):
                exchange.reads.append((time.perf_counter(), piece))
        except (BlockingIOError, SSLWantReadError):
            return bool(exchange.reads) and has_ended(exchange.reads)
        except OSError as error:
            exchange.error = f"The server broke the connection ({type(error).__name__}: {error})."
        return True

    def _give_up(self, why: str) -> None:
        for index in list(self._connections):
            self.exchanges[index].error = why
            self._end(index)

    def _end(self, index: int) -> None:
        connection = self._connections.pop(index)
        self._selector.unregister(connection.sock)
        connection.close()
