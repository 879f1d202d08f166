"""Several requests at once over raw sockets and one selector: a few microseconds a read, the same for every server.

The benchmark shares its processors with whom it measures. So nothing is decoded before the last stream has ended.
"""

import json
import selectors
import socket
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from demo.bench.dialects import Json
from demo.bench.peers.reply import read_reply
from demo.bench.sample import Arrivals, Unmeasured

_READ = 1 << 16


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens, and the key that it asks for."""

    host: str
    port: int
    path: str = ""
    api_key: str | None = field(default=None, repr=False)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}{self.path}"


@dataclass(slots=True)
class _Stream:
    """One request on its way."""

    connection: socket.socket
    payload: bytes
    due: float  # seconds after the first
    sent: float = 0.0
    end: float = 0.0
    reads: list[tuple[float, bytes]] = field(default_factory=list)


def read_address(url: str, api_key: str | None = None) -> Address:
    """The address in a URL. Raises Unmeasured where it is none of plain HTTP."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise Unmeasured(f"{url!r} is no address ({error}): give one like http://localhost:8080.") from error
    if parts.scheme != "http" or not host:
        raise Unmeasured(f"{url!r} is no address of plain HTTP: give one like http://localhost:8080.")
    return Address(host, port or 80, parts.path.rstrip("/"), api_key)


def find_port() -> int:
    """A port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def post_together(
    address: Address, path: str, bodies: Sequence[Json], apart: float, silence: float
) -> list[tuple[int, Arrivals]]:
    """Each reply with its status. The requests are sent `apart` seconds after each other, all over new connections.

    Raises Unmeasured where nothing comes for `silence` seconds, or a connection fails.
    """
    with ExitStack() as stack:
        try:
            streams = [
                _Stream(stack.enter_context(_connect(address, silence)), write_request(address, path, body), i * apart)
                for i, body in enumerate(bodies)
            ]
            _run(streams, silence)
        except TimeoutError as error:
            raise Unmeasured(f"{address.url} was silent for {silence:.0f} s.") from error
        except OSError as error:
            raise Unmeasured(f"{address.url} can't be reached, or broke the connection ({error}).") from error
    return [read_reply(stream.sent, stream.end, stream.reads) for stream in streams]


def write_request(address: Address, path: str, body: Json) -> bytes:
    """A POST, after whose reply the connection ends."""
    payload = json.dumps(body).encode()
    key = "".join(f"{name}: {value}\r\n" for name, value in address.headers.items())
    head = (
        f"POST {address.path}{path} HTTP/1.1\r\nHost: {address.host}:{address.port}\r\n"
        f"{key}Content-Type: application/json\r\nAccept-Encoding: identity\r\nUser-Agent: demo.bench\r\n"
        f"Connection: close\r\nContent-Length: {len(payload)}\r\n\r\n"
    )
    return head.encode() + payload


def _connect(address: Address, silence: float) -> socket.socket:
    connection = socket.create_connection((address.host, address.port), timeout=silence)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _run(streams: Sequence[_Stream], silence: float) -> None:
    first, *waiting = streams
    with selectors.DefaultSelector() as selector:
        _send(selector, first)
        while waiting or selector.get_map():
            while waiting and time.perf_counter() >= first.sent + waiting[0].due:
                _send(selector, waiting.pop(0))
            wait = first.sent + waiting[0].due - time.perf_counter() if waiting else silence
            ready = selector.select(max(wait, 0))
            if not ready and not waiting:
                raise TimeoutError
            for key, _ in ready:
                _read(selector, key.data)


def _send(selector: selectors.BaseSelector, stream: _Stream) -> None:
    stream.sent = time.perf_counter()
    stream.connection.sendall(stream.payload)
    selector.register(stream.connection, selectors.EVENT_READ, stream)


def _read(selector: selectors.BaseSelector, stream: _Stream) -> None:
    read = stream.connection.recv(_READ)
    now = time.perf_counter()
    if read:
        stream.reads.append((now, read))
    else:
        stream.end = now
        selector.unregister(stream.connection)
