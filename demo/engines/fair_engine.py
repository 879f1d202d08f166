"""An Engine wrapper that shares the places of an engine, the requests that it admits at once, between clients."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from demo.client_key import find_address_key
from demo.engine import Engine, Log, Ticket
from demo.engines.returning_clients import ReturningClients
from demo.engines.wrapper import EngineWrapper, LogWrapper
from demo.errors import Overloaded
from demo.events import Done, Event, Failed
from demo.places import require_fit
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
        self._places: set[_Place] = set()
        self._returning = ReturningClients()
        self._most = min(self._clients.count_most(), self._addresses.count_most())

    def admit(self) -> None:
        try:
            super().admit()
        except Overloaded:
            with self._lock:  # somebody wants a place: nobody is alone
                self._clients.note(SOMEBODY)
                self._addresses.note(SOMEBODY)
            raise

    def submit_all(self, requests: Sequence[Request], logs: Sequence[Log]) -> Sequence[Ticket]:
        """The requests of one call are one client's."""
        client = requests[0].client
        try:
            self._take(client, len(requests))
            tickets = self._submit(requests, [_Place(log, client, self._give_back) for log in logs])
        except Overloaded as error:
            if client is not None:
                error.expect(self.find_wait(client, len(requests)))
            raise
        return tickets

    def _submit(self, requests: Sequence[Request], places: "Sequence[_Place]") -> Sequence[Ticket]:
        with self._lock:
            self._places.update(places)
            self._returning.note_request(places[0].client, time.monotonic())
        try:
            tickets = super().submit_all(requests, places)
        except BaseException:
            for place in places:
                place.give_back()
            raise
        for place, ticket in zip(places, tickets, strict=True):
            place.ticket = ticket
        return tickets

    def find_wait(self, client: str, places: int = 1) -> float | None:
        with self._lock:
            clients, addresses, held = self._clients.copy(), self._addresses.copy(), list(self._places)
        waits = [(seconds, place.client) for place in held if (seconds := place.find_remaining()) is not None]
        address = find_address_key(client)
        for seconds, holder in sorted(waits, key=lambda wait: wait[0]):
            clients.give_back(holder or "")
            addresses.give_back(find_address_key(holder or ""))
            if clients.take_all(client, places):
                if addresses.take_all(address, places):
                    return seconds
                for _ in range(places):
                    clients.give_back(client)
            if holder != client and self._returning.returns(holder):
                clients.add(holder or "")
                addresses.add(find_address_key(holder or ""))
        return None

    def _take(self, client: str | None, places: int) -> None:
        with self._lock:
            if client is None:
                for _ in range(places):
                    self._clients.add("")
                    self._addresses.add("")
                return
            require_fit(places, self._most, "one client gets at most", f" of this server's {self._clients.limit}")
            if self._clients.is_full:
                self._clients.note(client)
                self._addresses.note(find_address_key(client))
                # The engine frees a place a moment before this does: it must not go to whoever asks the most often.
                self._engine.admit()
                raise Overloaded("All places have just been taken: try again in a few seconds.")
            self._take_for(client, places)

    def _take_for(self, client: str, places: int) -> None:
        address = find_address_key(client)
        if not self._clients.take_all(client, places):
            raise Overloaded(
                f"You have {self._clients.count(client)} of the server's {self._clients.limit} places, and "
                f"{self._clients.free} are left for all others: try again when one of your requests has ended."
            )
        if not self._addresses.take_all(address, places):
            for _ in range(places):
                self._clients.give_back(client)
            raise Overloaded(
                f"Your address has {self._addresses.count(address)} of the server's {self._clients.limit} places, and "
                f"{self._clients.free} are left for all others: try again when one of its requests has ended."
            )

    def _give_back(self, place: "_Place") -> None:
        client = place.client or ""
        with self._lock:
            self._places.discard(place)
            self._returning.note_end(place.client, time.monotonic())
            self._clients.give_back(client)
            self._addresses.give_back(find_address_key(client))


class _Place(LogWrapper):
    """The place of one run, given back before a reader can know of the end."""

    def __init__(self, log: Log, client: str | None, give_back: "Callable[[_Place], None]") -> None:
        super().__init__(log)
        self.client = client
        self.ticket: Ticket | None = None
        self._give_back = give_back
        self._given_back = False

    def find_remaining(self) -> float | None:
        return None if (ticket := self.ticket) is None else ticket.find_remaining()

    def give_back(self) -> None:
        if not self._given_back:
            self._given_back = True
            self._give_back(self)

    def observe(self, events: Sequence[Event]) -> None:
        if isinstance(events[-1], Done | Failed):
            self.give_back()
