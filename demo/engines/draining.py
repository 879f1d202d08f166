"""An engine that admits nothing once the server drains: neither a request of the API nor one of the page."""

from collections.abc import Sequence

from demo.drain import Drain
from demo.engine import Engine, Log, Ticket
from demo.engines.wrapper import EngineWrapper
from demo.request import Request


class DrainingEngine(EngineWrapper):
    """Raises NotReady for every request from the moment that `drain` has begun. What runs goes on."""

    def __init__(self, engine: Engine, drain: Drain) -> None:
        super().__init__(engine)
        self._drain = drain

    def admit(self) -> None:
        self._drain.require_open()
        super().admit()

    def submit_all(self, requests: Sequence[Request], logs: Sequence[Log]) -> Sequence[Ticket]:
        self._drain.require_open()
        return super().submit_all(requests, logs)
