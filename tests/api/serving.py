"""The API over real sockets, served from a thread of this process."""

import re
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext

import httpx2
import pytest
from fastapi import FastAPI

from demo.api import uvicorn_tuning
from demo.api.application import create_api
from demo.api.server import Server
from demo.engine import Engine
from demo.engines.metered import MeteredEngine
from demo.engines.reloading import ReloadingEngine
from demo.room.public_address import PublicAddress
from demo.room.routes import build_room_routes
from demo.settings import Settings
from demo.trace import Trace
from tests.api.client import PATIENCE


@contextmanager
def serve_api(
    engine: Engine,
    settings: Settings | None = None,
    mount_page: Callable[[Engine], FastAPI] | None = None,
    recordings: Sequence[Trace] = (),
) -> Iterator[str]:
    """The address of the API in front of `engine`, with rooms, and a page if there is one, until the block ends."""
    settings = settings or Settings(port=0)
    with pytest.MonkeyPatch.context() as patch:
        # Signals are the main thread's.
        patch.setattr(uvicorn_tuning.TunedUvicorn, "capture_signals", lambda self: nullcontext())
        served = Server(settings, {})
        measured = MeteredEngine(engine)
        page = mount_page(measured) if mount_page else None
        reload = engine.reload if isinstance(engine, ReloadingEngine) else None
        address = PublicAddress.choose(settings.public_url, served.port, served.is_reached, {})
        rooms = build_room_routes(measured, recordings, address)
        app = create_api(measured, settings, page, served.url, reload=reload, rooms=rooms)
        thread = threading.Thread(target=served.serve, args=(app, engine.close), daemon=True)
        thread.start()
        try:
            yield served.url
        finally:
            served.stop()
            thread.join(20)
            assert not thread.is_alive(), "the server did not stop"


def connect_from(address: str, url: str) -> httpx2.Client:
    """A client at an address of the loopback network."""
    return httpx2.Client(transport=httpx2.HTTPTransport(local_address=address), base_url=url, trust_env=False)


def connect(url: str) -> socket.socket:
    """A bare TCP connection."""
    host, port = url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=PATIENCE)


def read_to_end(connection: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    received = b""
    while piece := connection.recv(65536):
        received += piece
    return received


def read_until(connection: socket.socket, words: bytes) -> bytes:
    """All that comes until `words` have come."""
    received = b""
    while words not in received:
        piece = connection.recv(65536)
        assert piece, received
        received += piece
    return received


def exchange(url: str, *requests: bytes) -> bytes:
    """The answers to requests on one connection, which the last one closes."""
    with connect(url) as connection:
        connection.sendall(b"".join(requests))
        return read_to_end(connection)


def write_post(path: str, body: bytes, *headers: str) -> bytes:
    """A whole HTTP/1.1 request."""
    lines = [f"POST {path} HTTP/1.1", "Host: test", "Content-Type: application/json", *headers]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


@contextmanager
def receive(*replies: bytes, host: str = "127.0.0.1", port: int = 0) -> Iterator[tuple[str, list[bytes]]]:
    """The URL of a bare receiver of webhooks, which gives each of `replies` once, and the requests that it received."""
    requests: list[bytes] = []

    def answer() -> None:
        for reply in replies:
            connection, _ = listening.accept()
            with connection:
                request = connection.recv(65536)
                while request and not is_whole(request):
                    request += connection.recv(65536)
                if not request:  # the block has ended
                    return
                requests.append(request)
                connection.sendall(reply)

    with socket.create_server((host, port)) as listening:
        thread = threading.Thread(target=answer)
        thread.start()
        url = f"http://{host}:{listening.getsockname()[1]}"
        try:
            yield f"{url}/hook", requests
        finally:
            connect(url).close()
            thread.join(20)


def is_whole(request: bytes) -> bool:
    """Whether the body has come too, if one is announced."""
    head, end, body = request.partition(b"\r\n\r\n")
    announced = re.search(rb"(?i)content-length: (\d+)", head)
    return bool(end) and len(body) == int(announced[1] if announced else 0)


def write_reply(status: int, *headers: str) -> bytes:
    """A reply without a body, after which the connection is closed."""
    return "\r\n".join([f"HTTP/1.1 {status} Status", *headers, "Connection: close", "", ""]).encode()
