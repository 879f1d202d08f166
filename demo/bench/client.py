"""HTTP client for one server that sends at given times and stamps every read of a response. Knows no dialect.

It is http.client and sockets, not httpx2, because that takes a fraction of httpx2's CPU time for each event, and a
server that is measured on the same machine loses what its client takes.

An open loop: a request starts when it is due, whatever became of those before it, and its latencies count from the time
at which it was due (coordinated omission: Gil Tene, "How NOT to Measure Latency"). So a client that is late makes a
server look slow, never fast. Connections are opened beforehand by other threads; nothing is parsed before the end.
"""

import json
import selectors
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from ssl import SSLWantReadError
from typing import Final
from urllib.parse import urlsplit

from demo.bench.dialects import Json
from demo.bench.recorded import has_ended, parse_response
from demo.bench.sample import MeasurementError, TimedResponse

TIMEOUT = 120.0  # seconds without a byte after which a server counts as hung
MAX_OPEN: Final = 900  # select() takes file descriptors below 1024
_LEAD: Final = 1.0  # seconds before a request is due that its connection is opened
_ACCEPTED: Final = 0.005  # seconds that the server has to accept the first connections
_OPENERS: Final = 16
_AWAKE: Final = 0.0003  # seconds before a request is due from which on the thread only polls: waking up takes time
_READ_SIZE: Final = 1 << 16
_EXAMPLE = "give one like http://localhost:7860"


class Client:
    """Requests to one server, each on a connection of its own. No proxy, no compression."""

    def __init__(self, url: str, api_key: str | None = None, timeout: float = TIMEOUT) -> None:
        self.url = check_url(url)
        self.timeout = timeout
        self._headers = {"Content-Type": "application/json", "User-Agent": "demo.bench"}
        if api_key:
            if not (api_key.isascii() and api_key.isprintable()):
                raise MeasurementError("The API key holds characters that no header can: was it copied whole?")
            self._headers["Authorization"] = f"Bearer {api_key}"

    def get_json(self, path: str) -> Json:
        """The JSON at a path; None where the status is an error or the body is not JSON."""
        try:
            return json.loads(self.get_text(path))
        except ValueError:
            return None

    def get_text(self, path: str) -> str:
        """The text at a path; empty where the status is an error."""
        try:
            with closing(self.connect()) as connection:
                connection.request("GET", urlsplit(self.url).path + path, headers=self._headers)
                response = connection.getresponse()
                body = response.read()
        except (OSError, HTTPException) as error:
            what = f"{self.url} broke the connection ({type(error).__name__}: {error})."
            raise MeasurementError(what) from error
        return body.decode(errors="replace") if 200 <= response.status < 300 else ""

    def post(self, path: str, body: Json) -> TimedResponse:
        return self.post_together(path, [body])[0]

    def post_together(self, path: str, bodies: Sequence[Json], stagger: float = 0.0) -> list[TimedResponse]:
        """The responses to concurrent requests, each sent `stagger` seconds after the one before."""
        responses = []
        for response in self.post_on_schedule(path, bodies, [index * stagger for index in range(len(bodies))]):
            if isinstance(response, MeasurementError):
                raise response
            responses.append(response)
        return responses

    def post_on_schedule(
        self, path: str, bodies: Sequence[Json], starts: Sequence[float]
    ) -> list[TimedResponse | MeasurementError]:
        """The responses to requests that start at these seconds from the first, ascending; or why one has none."""
        requests = [self.write_post(path, body) for body in bodies]
        with closing(_Schedule(self, requests, starts)) as schedule:
            schedule.run()
        return [exchange.parse() for exchange in schedule.exchanges]

    def write_post(self, path: str, body: Json) -> bytes:
        """The bytes of a request after which the connection is closed."""
        payload = json.dumps(body).encode()
        parts = urlsplit(self.url)
        lines = {**self._headers, "Host": parts.netloc, "Content-Length": len(payload), "Connection": "close"}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return f"POST {parts.path}{path} HTTP/1.1\r\n{head}\r\n".encode() + payload

    def connect(self) -> HTTPConnection:
        parts = urlsplit(self.url)
        make = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = make(parts.hostname or "", parts.port, timeout=self.timeout)
        try:
            connection.connect()
        except (OSError, UnicodeError) as error:
            raise MeasurementError(f"{self.url} can't be reached ({error}): is the server running?") from error
        return connection


def check_url(url: str) -> str:
    """The server's URL without a closing slash. Raises MeasurementError where it is no URL of a server."""
    try:
        parts = urlsplit(url)
        is_valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        (parts.hostname or "").encode("idna")  # as the resolver will
    except ValueError as error:
        raise MeasurementError(f"{url!r} is not a URL ({error}): {_EXAMPLE}.") from error
    if not is_valid or any(letter.isspace() for letter in url):
        raise MeasurementError(f"{url!r} is not the URL of a server: {_EXAMPLE}.")
    if parts.query or parts.fragment:
        raise MeasurementError(f"{url!r} has a query or a fragment: {_EXAMPLE}.")
    return url.rstrip("/")


@dataclass(slots=True)
class _Exchange:
    """A request: when it was due and when it was sent, and each read of what came back."""

    due: float
    sent: float = 0.0
    reads: list[tuple[float, bytes]] = field(default_factory=list)
    error: str | None = None

    def parse(self) -> TimedResponse | MeasurementError:
        if self.error is not None:
            return MeasurementError(self.error)
        return parse_response(self.due, self.sent - self.due, self.reads)


class _Schedule:
    """The loop. It uses select(): epoll rounds a timeout up to whole milliseconds, so requests would start late."""

    def __init__(self, client: Client, requests: Sequence[bytes], starts: Sequence[float]) -> None:
        self._client = client
        self._requests = requests
        self._starts = starts
        self._openers = ThreadPoolExecutor(_OPENERS)
        self._opening: list[Future[HTTPConnection]] = []
        self._selector = selectors.SelectSelector()
        self._connections: dict[int, HTTPConnection] = {}
        self.exchanges: list[_Exchange] = []

    def run(self) -> None:
        """Send and read until every response has ended; after too long a silence the rest are given up."""
        self._open_connections(0.0)
        wait(self._opening)
        begun = heard = time.perf_counter() + _ACCEPTED
        self.exchanges.extend(_Exchange(begun + start) for start in self._starts)
        unsent = 0
        while unsent < len(self.exchanges) or self._connections:
            now = time.perf_counter()
            self._open_connections(now - begun)
            if self._send_if_due(unsent, now):
                unsent, heard = unsent + 1, now
            elif self._read_ready(self._wait(unsent, now)):
                heard = now
            elif now - heard > self._client.timeout and self._connections:
                self._give_up(
                    f"The server was silent for {self._client.timeout:g} s: is it busy, or is the timeout too short?"
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
            self._opening.append(self._openers.submit(self._client.connect))

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
            connection.sock.sendall(self._requests[index])
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
            return min(self._client.timeout, _LEAD)
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
