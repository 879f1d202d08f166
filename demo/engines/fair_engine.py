"""An Engine wrapper that shares the places of an engine, the requests that it admits at once, between clients."""

import threading
from collections.abc import Callable, Sequence
from typing import Final

from demo.client_key import find_address_key
from demo.engine import Engine, Log, Ticket
from demo.engines.wrapper import EngineWrapper, LogWrapper
from demo.errors import Overloaded
from demo.events import Done, Event, Failed
from demo.request import Request
from demo.shared_limit import SharedLimit

PER_ADDRESS: Final = 3  # places that all clients of an address hold, for each that is left free
SOMEBODY: Final = "?"  # who was refused before it was known who it is


class FairEngine(EngineWrapper):
    """Each client shares the places with all others, as SharedLimit says.

    Keys and sessions can be invented: the clients of one address hold at most three quarters together. Requests without
    a client come from this process, and are only counted.
    """

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._lock = threading.Lock()
        limit = engine.load.limit
        self._clients, self._addresses = SharedLimit(limit), SharedLimit(limit, PER_ADDRESS)

    def admit(self) -> None:
        try:
            super().admit()
        except Overloaded:
            with self._lock:  # somebody wants a place: nobody is alone
                self._clients.note(SOMEBODY)
                self._addresses.note(SOMEBODY)
            raise

    def submit(self, request: Request, log: Log) -> Ticket:
        client = request.client
        self._take(client)
        place = _Place(log, lambda: self._give_back(client))
        try:
            return super().submit(request, place)
        except BaseException:
            place.give_back()
            raise

    def _take(self, client: str | None) -> None:
        with self._lock:
            if client is None:
                self._clients.add("")
                self._addresses.add("")
                return
            if self._clients.is_full:
                self._clients.note(client)
                self._addresses.note(find_address_key(client))
                # The engine frees a place a moment before this does: it must not go to whoever asks the most often.
                self._engine.admit()
                raise Overloaded("All places have just been taken: try again in a few seconds.")
            self._take_for(client)

    def _take_for(self, client: str) -> None:
        address = find_address_key(client)
        if not self._clients.take(client):
            raise Overloaded(
                f"You have {self._clients.count(client)} of the server's {self._clients.limit} places, and "
                f"{self._clients.free} are left for all others: try again when one of your requests has ended."
            )
        if not self._addresses.take(address):
            self._clients.give_back(client)
            raise Overloaded(
                f"Your address has {self._addresses.count(address)} of the server's {self._clients.limit} places, and "
                f"{self._clients.free} are left for all others: try again when one of its requests has ended."
            )

    def _give_back(self, client: str | None) -> None:
        with self._lock:
            self._clients.give_back(client or "")
            self._addresses.give_back(find_address_key(client or ""))


class _Place(LogWrapper):
    """The place of one run, given back before a reader can know of the end."""

    def __init__(self, log: Log, give_back: Callable[[], None]) -> None:
        super().__init__(log)
        self._give_back = give_back
        self._given_back = False

    def give_back(self) -> None:
        if not self._given_back:
            self._given_back = True
            self._give_back()

    def observe(self, events: Sequence[Event]) -> None:
        if isinstance(events[-1], Done | Failed):
            self.give_back()
