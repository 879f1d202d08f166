"""HTTP client for one server that stamps every read of a response as it arrives. Knows no dialect.

It is http.client, not httpx2, because it takes a fraction of httpx2's CPU time for each event, and a server that is
measured on the same machine loses what its client takes.
"""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, IncompleteRead
from multiprocessing.connection import wait
from socket import SHUT_RDWR
from urllib.parse import urlsplit

from demo.bench.dialects import Json
from demo.bench.sample import MeasurementError, TimedResponse
from demo.bench.schedule import Connector, exchange_on_schedule

TIMEOUT = 120.0  # seconds without a byte after which a server counts as hung
_READ_SIZE = 1 << 16
_EXAMPLE = "give one like http://localhost:7860"


class Client:
    """Connections to one server: kept open and reused, one for each request at a time. No proxy, no compression."""

    def __init__(self, url: str, api_key: str | None = None, timeout: float = TIMEOUT) -> None:
        self.url = check_url(url)
        self._timeout = timeout
        self._headers = {"Content-Type": "application/json", "User-Agent": "demo.bench"}
        if api_key:
            if not (api_key.isascii() and api_key.isprintable()):
                raise MeasurementError("The API key holds characters that no header can: was it copied whole?")
            self._headers["Authorization"] = f"Bearer {api_key}"
        self._idle: list[HTTPConnection] = []

    def get_json(self, path: str) -> Json:
        """The JSON at a path; None where the status is an error or the body is not JSON."""
        try:
            return json.loads(self.get_text(path))
        except ValueError:
            return None

    def get_text(self, path: str) -> str:
        """The text at a path; empty where the status is an error."""
        with self._borrow() as connection:
            response = self._exchange(connection, "GET", path)
        return response.body.decode(errors="replace") if response.is_success else ""

    def post(self, path: str, body: Json) -> TimedResponse:
        """The response to one request."""
        with self._borrow() as connection:
            return self._exchange(connection, "POST", path, body)

    def post_together(self, path: str, bodies: Sequence[Json], stagger: float = 0.0) -> list[TimedResponse]:
        """The responses to concurrent requests, each sent `stagger` seconds after the one before."""
        responses = self.post_on_schedule(path, bodies, [index * stagger for index in range(len(bodies))])
        return [_raise_error(response) for response in responses]

    def post_on_schedule(
        self, path: str, bodies: Sequence[Json], starts: Sequence[float]
    ) -> list[TimedResponse | MeasurementError]:
        """The responses to requests that start at these seconds from the first; or why one has none."""
        requests = [self.write_post(path, body) for body in bodies]
        return exchange_on_schedule(Connector(self.connect, requests, self._timeout), starts)

    def write_post(self, path: str, body: Json) -> bytes:
        """The bytes of a request after which the connection is closed."""
        payload = json.dumps(body).encode()
        parts = urlsplit(self.url)
        lines = {**self._headers, "Host": parts.netloc, "Content-Length": len(payload), "Connection": "close"}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return f"POST {parts.path}{path} HTTP/1.1\r\n{head}\r\n".encode() + payload

    def close(self) -> None:
        """Close the idle connections. The next request opens a new one."""
        while self._idle:
            self._idle.pop().close()

    @contextmanager
    def _borrow(self) -> Iterator[HTTPConnection]:
        connection = self._take_idle() or self.connect()
        try:
            yield connection
        except BaseException:
            with suppress(OSError):
                if connection.sock is not None:
                    connection.sock.shutdown(SHUT_RDWR)  # wakes a thread that reads from it
            connection.close()
            raise
        self._idle.append(connection)

    def _take_idle(self) -> HTTPConnection | None:
        """An open connection. One that is readable before a request was closed by the server."""
        while self._idle:
            connection = self._idle.pop()
            if connection.sock is not None and not wait([connection.sock], 0):
                return connection
            connection.close()
        return None

    def connect(self) -> HTTPConnection:
        """A new connection, open."""
        parts = urlsplit(self.url)
        make = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = make(parts.hostname or "", parts.port, timeout=self._timeout)
        try:
            connection.connect()
        except (OSError, UnicodeError) as error:
            raise MeasurementError(f"{self.url} can't be reached ({error}): is the server running?") from error
        return connection

    def _exchange(self, connection: HTTPConnection, method: str, path: str, body: Json = None) -> TimedResponse:
        """Nothing is decoded before the body has ended, so that reading adds next to nothing to what is measured."""
        payload = None if body is None else json.dumps(body).encode()
        try:
            sent = time.perf_counter()
            connection.request(method, urlsplit(self.url).path + path, payload, self._headers)
            response = connection.getresponse()
            headers = time.perf_counter()
            reads = list(_stamp_reads(response))
            end = time.perf_counter()
        except TimeoutError as error:
            what = f"{self.url} was silent for {self._timeout:g} s: is it busy, or is the timeout too short?"
            raise MeasurementError(what) from error
        except (OSError, HTTPException) as error:
            what = f"{self.url} broke the connection ({type(error).__name__}: {error})."
            raise MeasurementError(what) from error
        fields = {name.lower(): value for name, value in response.getheaders()}
        return TimedResponse(response.status, sent, headers, reads, end, fields)


def _stamp_reads(response: HTTPResponse) -> Iterator[tuple[float, bytes]]:
    while read := response.read1(_READ_SIZE):
        yield time.perf_counter(), read
    if response.length:
        raise IncompleteRead(b"", response.length)
    response.close()


def _raise_error(response: TimedResponse | MeasurementError) -> TimedResponse:
    if isinstance(response, MeasurementError):
        raise response
    return response


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
