"""The load test that is running: one at a time, under an id that cannot be guessed."""

from collections.abc import Iterator
from contextlib import contextmanager

from demo.api.crowd.crowd import Crowd
from demo.api.crowd.request import CrowdRequest
from demo.api.dialects.errors import Refused
from demo.engine import Engine
from demo.errors import Overloaded


class CrowdRegistry:
    """Admits a load test while no other is running."""

    def __init__(self, engine: Engine, server_url: str) -> None:
        self._engine = engine
        self._server_url = server_url
        self._running: Crowd | None = None

    @contextmanager
    def admit(self, plan: CrowdRequest, client: str) -> Iterator[Crowd]:
        """A new load test for `client`, until it is released or the block ends. Raises Overloaded."""
        if self._running is not None:
            raise Overloaded("Another load test is running: try again when it has ended.")
        crowd = self._running = Crowd(self._engine, self._server_url, plan, client)
        try:
            yield crowd
        finally:
            self.release(crowd)

    def release(self, crowd: Crowd) -> None:
        if self._running is crowd:
            self._running = None

    def find(self, id: str) -> Crowd:
        """Raises Refused (404) if that load test is not running."""
        if self._running is None or self._running.id != id:
            raise Refused("not_found", "There is no such load test: it never existed, or it has ended.")
        return self._running
