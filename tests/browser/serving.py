"""The page in front of a scripted engine, served from a thread of this process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn
from fastapi import FastAPI

from demo.events import Engine
from demo.ui.page import mount_page
from demo.ui.visitor import Visitors


@dataclass(frozen=True, slots=True)
class Served:
    """Where the page is, and who is visiting it."""

    url: str
    visitors: Visitors


class Server(uvicorn.Server):
    """A server that says when it listens."""

    def __init__(self, app: FastAPI) -> None:
        super().__init__(uvicorn.Config(app, port=0, log_level="error", timeout_graceful_shutdown=1))
        self.listening = threading.Event()

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        await super().startup()
        self.listening.set()

    @property
    def port(self) -> int:
        """The port the system chose."""
        return int(self.servers[0].sockets[0].getsockname()[1])


@contextmanager
def serve(engine: Engine) -> Iterator[Served]:
    """Serve the page until the block ends."""
    visitors = Visitors()
    server = Server(mount_page(FastAPI(), engine, visitors))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert server.listening.wait(30), "the server did not start"
    try:
        yield Served(f"http://127.0.0.1:{server.port}", visitors)
    finally:
        server.should_exit = True
        engine.close()
        thread.join(10)
