"""HTTP client for one server that stamps every read of a response as it arrives. Knows no dialect.

It is http.client and sockets, not httpx2, because that takes a fraction of httpx2's CPU time for each event, and a
server that is measured on the same machine loses what its client takes.
"""

import json
from collections.abc import Sequence
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from demo.bench.dialects import Json
from demo.bench.sample import MeasurementError, TimedResponse
from demo.bench.schedule import Connector, exchange_on_schedule

TIMEOUT = 120.0  # seconds without a byte after which a server counts as hung
_EXAMPLE = "give one like http://localhost:7860"


class Client:
    """Requests to one server, each on a connection of its own. No proxy, no compression."""

    def __init__(self, url: str, api_key: str | None = None, timeout: float = TIMEOUT) -> None:
        self.url = check_url(url)
        self._timeout = timeout
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

    def connect(self) -> HTTPConnection:
        parts = urlsplit(self.url)
        make = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = make(parts.hostname or "", parts.port, timeout=self._timeout)
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
