"""The page and the API in front of a scripted engine, served from a thread of this process."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from fastapi import FastAPI

from demo.events import Engine
from demo.settings import Settings
from demo.trace import Trace
from demo.ui.page import mount_page
from demo.ui.visitor import Visitors
from tests.api.serving import serve_api


@dataclass(frozen=True, slots=True)
class Served:
    """Where the page is, and who is visiting it."""

    url: str
    visitors: Visitors


@contextmanager
def serve(engine: Engine, settings: Settings | None = None, recordings: Sequence[Trace] = ()) -> Iterator[Served]:
    """Serve the page until the block ends."""
    visitors = Visitors()
    with serve_api(engine, settings, lambda measured: mount_page(FastAPI(), measured, visitors, recordings)) as url:
        yield Served(url, visitors)
