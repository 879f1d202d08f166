"""EngineWrapper and LogWrapper: what stands in front of an engine, and of each of its logs. Both forward everything."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from demo.engine import Engine, Load, Log, Piece, Status, Ticket
from demo.events import Done, Event, Failed
from demo.request import Prompt, Request


class EngineWrapper(Engine):
    """An engine in front of `engine`: a subclass overrides what it changes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def status(self) -> Status:
        return self._engine.status

    @property
    def load(self) -> Load:
        return self._engine.load

    def admit(self) -> None:
        self._engine.admit()

    def find_wait(self, client: str, places: int = 1) -> float | None:
        return self._engine.find_wait(client, places)

    def tokenize(self, prompt: Prompt, options: str = "{}") -> tuple[str, tuple[Piece, ...]]:
        return self._engine.tokenize(prompt, options)

    def submit_all(self, requests: Sequence[Request], logs: Sequence[Log]) -> Sequence[Ticket]:
        return self._engine.submit_all(requests, logs)

    def close(self) -> None:
        self._engine.close()


class LogWrapper(ABC):
    """The log of one run, observed: a reader that has an event finds it observed already."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def __call__(self, *events: Event) -> None:
        self.observe(events)
        self._log(*events)

    @abstractmethod
    def observe(self, events: Sequence[Event]) -> None:
        """Called with the events that are about to be logged, from the engine's thread."""


class Place(LogWrapper):
    """The place that one run holds. Calls `give_back` with its last event, before a reader can know of the end."""

    def __init__(self, log: Log, give_back: "Callable[[Place], None]", client: str | None = None) -> None:
        super().__init__(log)
        self.client = client
        self.ticket: Ticket | None = None
        self._give_back = give_back

    def find_remaining(self) -> float | None:
        """Seconds until the run is expected to end; None where that is not known."""
        return None if (ticket := self.ticket) is None else ticket.find_remaining()

    def observe(self, events: Sequence[Event]) -> None:
        if isinstance(events[-1], Done | Failed):
            self._give_back(self)
