"""When a server that drains may end: no request is being answered any more, or the time for that is up."""

import logging
from dataclasses import dataclass

from demo.engine import Engine
from demo.engines.draining import Drain

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ending:
    """The drain of the server in front of `engine`."""

    drain: Drain
    engine: Engine

    def begin(self) -> None:
        """Admit nothing more. Has an effect once."""
        if self.drain.has_begun:
            return
        self.drain.begin()
        if not self.is_due:
            logger.info(
                "Draining: answers get %d s to end, and nothing new is admitted. Another signal ends them at once.",
                self.drain.seconds,
            )

    @property
    def is_due(self) -> bool:
        """Whether the server may end."""
        load = self.engine.load
        return self.drain.is_over or not (load.running or load.waiting)
