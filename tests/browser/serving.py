"""The page and the API in front of a scripted engine, served from a thread of this process."""

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from fastapi import FastAPI

from demo.access import read_access
from demo.engine import Engine
from demo.engines.wrapper import EngineWrapper
from demo.settings import Settings
from demo.trace import Trace
from demo.ui.page import mount_page
from demo.ui.tabs import Tabs
from tests.api.serving import serve_api
from tests.scripted import ScriptedEngine

FREED: Final[list[int]] = []  # ports of servers that have ended: the browser has cached their files


class ChosenEngine(EngineWrapper):
    """The engine that a test has chosen: one server's page is in front of many, one after the other."""

    def choose(self, engine: ScriptedEngine) -> None:
        """From now on it is `engine` that answers. The work of the one before ends."""
        before, self._engine = self._engine, engine
        if isinstance(before, ScriptedEngine):
            before.cancel_all()


@contextmanager
def serve(
    engine: Engine, settings: Settings | None = None, recordings: Sequence[Trace] = (), tabs: Tabs | None = None
) -> Iterator[str]:
    """The page's address until the block ends, at the port of a server that has ended if there is one."""
    settings = replace(settings or Settings(), port=_choose_port())
    access = read_access(settings)
    with serve_api(
        engine,
        settings,
        lambda measured: mount_page(FastAPI(), measured, recordings=recordings, tabs=tabs, access=access),
    ) as url:
        yield url
    FREED.append(urlsplit(url).port or 0)


def _choose_port() -> int:
    while FREED:
        port = FREED.pop()
        if _is_free(port):
            return port
    return 0


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
