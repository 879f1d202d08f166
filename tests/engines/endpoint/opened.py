"""An engine elsewhere that is ready, in front of a scripted server."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from demo.engine import Broken, Engine, Ready, Status
from demo.engines.endpoint.engine import EndpointEngine
from demo.errors import DemoError
from demo.events import Done, EngineReport, Event, Failed, Sent, Started, Token
from demo.request import Message, Request
from demo.run import Run
from demo.settings import Settings
from tests.engines.endpoint.scripted_server import ScriptedServer, serve_script

PATIENCE = 20.0
CHAT = Request((Message("user", "Hello"),), max_new_tokens=20)
TEXT = Request("Hello", max_new_tokens=20)


class Events(tuple[Event, ...]):
    """Events of one run, and what a test looks for in them."""

    @property
    def tokens(self) -> list[Token]:
        return [event for event in self if isinstance(event, Token)]

    @property
    def done(self) -> Done:
        end = self[-1]
        assert isinstance(end, Done), end
        return end

    @property
    def error(self) -> DemoError:
        end = self[-1]
        assert isinstance(end, Failed), end
        return end.error

    @property
    def report(self) -> EngineReport:
        (report,) = [event for event in self if isinstance(event, EngineReport)]
        return report

    @property
    def start(self) -> Started:
        sent, start, *_ = self
        assert isinstance(sent, Sent)
        assert isinstance(start, Started)
        return start


def wait_for_status(engine: Engine, *kinds: type, patience: float = PATIENCE) -> Status:
    """The engine's status, once it is one of these."""
    until = time.monotonic() + patience
    while not isinstance(status := engine.status, kinds):
        assert time.monotonic() < until, status
        time.sleep(0.002)
    return status


@contextmanager
def open_ready(url: str, patience: float = PATIENCE, **settings: Any) -> Iterator[EndpointEngine]:
    """The engine in front of the server at an address, ready."""
    engine = EndpointEngine(Settings(endpoint=url, **settings), on_broken=lambda: None)
    try:
        assert not isinstance(status := wait_for_status(engine, Ready, Broken, patience=patience), Broken), status
        yield engine
    finally:
        engine.close()


@contextmanager
def open_scripted(server: ScriptedServer, **settings: Any) -> Iterator[tuple[EndpointEngine, ScriptedServer]]:
    """The engine, ready, and the server behind it, which has forgotten the first answer."""
    with serve_script(server), open_ready(server.url, **settings) as engine:
        server.asked.clear()
        yield engine, server


def read_events(run: Run) -> Events:
    """All events of a run, which ends by itself."""
    return Events(event for batch in run.attach() for event in batch)


def ask(engine: Engine, request: Request = CHAT) -> Events:
    return read_events(Run(engine, request))
