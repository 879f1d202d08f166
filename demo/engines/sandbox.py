"""A sandbox: an engine in front of the engine, with a limit of its own, so that a crowd fills it and not the server."""

import threading
from collections.abc import Callable
from typing import Final

from demo.errors import NotReady, Overloaded
from demo.events import Done, Engine, Event, Failed, Load, Log, Piece, Prompt, Request, Status, Ticket

SHARE: Final = 4  # at most one in so many of the engine's places: the others are for everybody else


class Sandbox(Engine):
    """Admits at most `limit` requests at once, and passes them on. A place is free when its run has ended."""

    def __init__(self, engine: Engine, limit: int) -> None:
        self.limit = min(limit, max(1, engine.load.limit // SHARE))
        self._engine = engine
        self._places: set[_Place] = set()
        self._changing = threading.Lock()  # the engine's thread frees places
        self._closed = False

    @property
    def status(self) -> Status:
        return self._engine.status

    @property
    def load(self) -> Load:
        return Load(len(self._places), waiting=0, limit=self.limit, stalled=self._engine.load.stalled)

    def admit(self) -> None:
        with self._changing:
            self._check_room()
        self._engine.admit()

    def tokenize(self, prompt: Prompt) -> tuple[str, tuple[Piece, ...]]:
        return self._engine.tokenize(prompt)

    def submit(self, request: Request, log: Log) -> Ticket:
        place = _Place(log, self._free)
        with self._changing:
            self._check_room()
            self._places.add(place)
        try:
            place.ticket = self._engine.submit(request, place)
        except BaseException:
            self._free(place)
            raise
        if self._closed:
            place.ticket.cancel()
        return place.ticket

    def close(self) -> None:
        """Give back what it was lent; the engine itself goes on."""
        with self._changing:
            self._closed = True
            places = tuple(self._places)
        for place in places:
            if place.ticket is not None:
                place.ticket.cancel()

    def _check_room(self) -> None:
        if self._closed:
            raise NotReady("This sandbox is closed: its crowd has finished.")
        if len(self._places) >= self.limit:
            raise Overloaded(
                f"Model is overloaded: {len(self._places)} requests are being answered in this sandbox, which is "
                "the limit. Try again in a few seconds."
            )

    def _free(self, place: "_Place") -> None:
        with self._changing:
            self._places.discard(place)


class _Place(Log):
    """Stands between the engine and one run's log, and is free before anyone can read that the run has ended."""

    def __init__(self, log: Log, free: "Callable[[_Place], None]") -> None:
        self._log = log
        self._free = free
        self.ticket: Ticket | None = None

    def __call__(self, *events: Event) -> None:
        if isinstance(events[-1], Done | Failed):
            self._free(self)
        self._log(*events)
