"""Sandbox: an Engine wrapper with a limit of its own, so that a load test can fill it and not the server."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from demo.engine import Engine, Load, Log, Ticket, require_fit, require_free
from demo.engines.wrapper import EngineWrapper, Place
from demo.errors import NotReady, Overloaded
from demo.request import Request

SHARE: Final = 4  # a sandbox takes at most 1 / SHARE of the engine's concurrent requests


class Sandbox(EngineWrapper):
    """Forwards at most `limit` concurrent requests. A slot is free again when its run has ended."""

    def __init__(self, engine: Engine, limit: int) -> None:
        super().__init__(engine)
        self.limit = min(limit, max(1, engine.load.limit // SHARE))
        self._slots: set[Place] = set()
        self._lock = threading.Lock()  # the engine's thread frees slots
        self._closed = False

    @property
    def load(self) -> Load:
        return Load(len(self._slots), waiting=0, limit=self.limit, stalled=self._engine.load.stalled)

    def admit(self) -> None:
        with self._refusing(), self._lock:
            self._check_limit()
        super().admit()

    def submit_all(self, requests: Sequence[Request], logs: Sequence[Log]) -> Sequence[Ticket]:
        slots = [Place(log, self._free) for log in logs]
        with self._refusing(len(slots)), self._lock:
            self._check_limit(len(slots))
            self._slots.update(slots)
        try:
            tickets = super().submit_all(requests, slots)
        except BaseException:
            for slot in slots:
                self._free(slot)
            raise
        for slot, ticket in zip(slots, tickets, strict=True):
            slot.ticket = ticket
            if self._closed:
                ticket.cancel()
        return tickets

    def close(self) -> None:
        """Cancel the sandbox's own runs; the engine itself stays open."""
        with self._lock:
            self._closed = True
            slots = tuple(self._slots)
        for slot in slots:
            if slot.ticket is not None:
                slot.ticket.cancel()

    @contextmanager
    def _refusing(self, places: int = 1) -> Iterator[None]:
        """Refusals say when so many slots are expected to be free."""
        try:
            yield
        except Overloaded as error:
            waits = sorted(wait for slot in tuple(self._slots) if (wait := slot.find_remaining()) is not None)
            missing = len(self._slots) + places - self.limit
            error.expect(waits[missing - 1] if 0 < missing <= len(waits) else None)
            raise

    def _check_limit(self, places: int = 1) -> None:
        if self._closed:
            raise NotReady("This sandbox is closed: its load test has ended.")
        require_fit(places, self.limit, "this sandbox has at most")
        require_free(places, len(self._slots), self.limit, " in this sandbox")

    def _free(self, slot: Place) -> None:
        with self._lock:
            self._slots.discard(slot)
