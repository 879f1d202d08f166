"""An engine elsewhere that is ready, in front of a scripted server."""

import time
from collections.abc import Iterator, Sequence
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


def wait_for_status(engine: Engine, *kinds: type) -> Status:
    """The engine's status, once it is one of these."""
    until = time.monotonic() + PATIENCE
    while not isinstance(status := engine.status, kinds):
        assert time.monotonic() < until, status
        time.sleep(0.002)
    return status


@contextmanager
def open_scripted(server: ScriptedServer, **settings: Any) -> Iterator[tuple[EndpointEngine, ScriptedServer]]:
    """The engine, ready, and the server behind it, which has forgotten the first answer."""
    with serve_script(server):
        engine = EndpointEngine(Settings(endpoint=server.url, **settings), on_broken=lambda: None)
        try:
            assert not isinstance(status := wait_for_status(engine, Ready, Broken), Broken), status
            server.asked.clear()
            yield engine, server
        finally:
            engine.close()


def read_events(run: Run) -> list[Event]:
    """All events of a run, which ends by itself."""
    return [event for batch in run.attach() for event in batch]


def ask(engine: Engine, request: Request = CHAT) -> list[Event]:
    return read_events(Run(engine, request))


def list_tokens(events: Sequence[Event]) -> list[Token]:
    return [event for event in events if isinstance(event, Token)]


def find_done(events: Sequence[Event]) -> Done:
    end = events[-1]
    assert isinstance(end, Done), end
    return end


def find_error(events: Sequence[Event]) -> DemoError:
    end = events[-1]
    assert isinstance(end, Failed), end
    return end.error


def find_report(events: Sequence[Event]) -> EngineReport:
    (report,) = [event for event in events if isinstance(event, EngineReport)]
    return report


def find_start(events: Sequence[Event]) -> Started:
    assert isinstance(events[0], Sent)
    assert isinstance(events[1], Started)
    return events[1]
