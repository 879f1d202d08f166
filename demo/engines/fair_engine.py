"""An Engine wrapper that shares the places of an engine, the requests that it admits at once, between clients."""

import heapq
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
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
RETURNS_PER_PLACE: Final = 24  # that are foreseen, at most
SOMEBODY: Final = "?"  # a client that was refused before it was identified


class FairEngine(EngineWrapper):
    """Each client shares the places with all others, as SharedLimit says.

    Keys and sessions can be invented: the clients of one address hold at most three quarters together. Requests without
    a client come from this process, and are only counted.
    """

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(engine)
        self._clock = clock
        self._lock = threading.Lock()
        self._limits = _Limits(engine.load.limit)
        self._places: set[_Place] = set()
        self._returning = ReturningClients[None]()

    def admit(self) -> None:
        try:
            super().admit()
        except Overloaded:
            with self._lock:  # somebody wants a place: nobody is alone
                self._limits.note(SOMEBODY)
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
        self._returning.note_request(places[0].client, None, self._clock())
        try:
            tickets = super().submit_all(requests, places)
        except BaseException:
            for place in places:
                place.give_back()
            raise
        for place, ticket in zip(places, tickets, strict=True):
            place.keep(ticket)
        return tickets

    def find_wait(self, client: str, places: int = 1) -> float | None:
        """Until then each client is expected to ask again and again if it always does so."""
        with self._lock:
            limits, held = self._limits.copy(), list(self._places)
        for change in self._foresee(client, held, limits):
            if change.takes:
                limits.add(change.client)
            else:
                limits.give_back(change.client)
                if limits.take_all(client, places) is None:
                    return change.seconds
        return None

    def _foresee(self, client: str, held: "Sequence[_Place]", limits: "_Limits") -> "Iterator[_Change]":
        """Who gives back or takes a place when, in order, but for what `client` takes. The caller keeps `limits`."""
        now = self._clock()
        away = self._returning.list_away(now)
        changes = [_Change(habit.find_back(now), other, takes=True) for other, habit in away if other != client]
        waits = ((place.find_remaining(), place.client) for place in held)
        changes += [_Change(seconds, holder, takes=False) for seconds, holder in waits if seconds is not None]
        heapq.heapify(changes)
        left = RETURNS_PER_PLACE * (len(held) + 1)
        while changes:
            change = heapq.heappop(changes)
            if change.takes and limits.clients.is_full:
                continue
            yield change
            habit = self._returning.find(change.client) if change.client != client else None
            if habit is not None and (left := left - 1) > 0:
                seconds = change.seconds + (habit.seconds if change.takes else habit.pause)
                heapq.heappush(changes, _Change(seconds, change.client, not change.takes))

    def _take(self, client: str | None, places: int) -> None:
        with self._lock:
            if client is None:
                for _ in range(places):
                    self._limits.add(client)
                return
            limit = self._limits.clients.limit
            require_fit(places, self._limits.count_most(), "one client gets at most", f" of this server's {limit}")
            if self._limits.clients.is_full:
                self._limits.note(client)
                # The engine frees a place a moment before this does: the most frequent client must not always get it.
                self._engine.admit()
                raise Overloaded("All places have just been taken: try again in a few seconds.")
            self._take_for(client, places)

    def _take_for(self, client: str, places: int) -> None:
        limits = self._limits
        refusing = limits.take_all(client, places)
        if refusing is limits.clients:
            raise Overloaded(
                f"You have {refusing.count(client)} of the server's {refusing.limit} places, and "
                f"{refusing.free} are left for all others: try again when one of your requests has ended."
            )
        if refusing is limits.addresses:
            raise Overloaded(
                f"Your address has {refusing.count(find_address_key(client))} of the server's {refusing.limit} places, "
                f"and {refusing.free} are left for all others: try again when one of its requests has ended."
            )

    def _give_back(self, place: "_Place") -> None:
        with self._lock:
            self._places.discard(place)
            self._returning.note_end(place.client, self._clock())
            self._limits.give_back(place.client)


class _Limits:
    """The places of clients, and with them those of their addresses. The client None is no client."""

    def __init__(self, limit: int) -> None:
        self.clients, self.addresses = SharedLimit(limit), SharedLimit(limit, PER_ADDRESS)

    def count_most(self) -> int:
        """The places that one client takes while nobody else holds any."""
        return min(self.clients.count_most(), self.addresses.count_most())

    def copy(self) -> "_Limits":
        """The same, of which places can be taken and given back on trial."""
        other = _Limits(self.clients.limit)
        other.clients, other.addresses = self.clients.copy(), self.addresses.copy()
        return other

    def note(self, client: str) -> None:
        """This client wants a place, which it may not get."""
        self.clients.note(client)
        self.addresses.note(find_address_key(client))

    def add(self, client: str | None) -> None:
        """Count a place of this client, whether or not it may take one."""
        self.clients.add(client or "")
        self.addresses.add(find_address_key(client or ""))

    def take_all(self, client: str, places: int) -> SharedLimit | None:
        """Take so many places for this client, or none; then the limit that it may not exceed."""
        if not self.clients.take_all(client, places):
            return self.clients
        if not self.addresses.take_all(find_address_key(client), places):
            for _ in range(places):
                self.clients.give_back(client)
            return self.addresses
        return None

    def give_back(self, client: str | None) -> None:
        """Free a place of this client."""
        self.clients.give_back(client or "")
        self.addresses.give_back(find_address_key(client or ""))


@dataclass(frozen=True, slots=True, order=True)
class _Change:
    """That a client is expected to take a place or to give one back, in so many seconds."""

    seconds: float
    client: str | None = field(compare=False)
    takes: bool = field(compare=False)


class _Place(LogWrapper):
    """The place of one run, given back before a reader can know of the end."""

    def __init__(self, log: Log, client: str | None, give_back: "Callable[[_Place], None]") -> None:
        super().__init__(log)
        self.client = client
        self._ticket: Ticket | None = None
        self._give_back = give_back
        self._given_back = False

    def find_remaining(self) -> float | None:
        return None if (ticket := self._ticket) is None else ticket.find_remaining()

    def keep(self, ticket: Ticket) -> None:
        """Ask `ticket` from now on, until the end: the two refer to each other."""
        self._ticket = None if self._given_back else ticket

    def give_back(self) -> None:
        if not self._given_back:
            self._given_back, self._ticket = True, None
            self._give_back(self)

    def observe(self, events: Sequence[Event]) -> None:
        if isinstance(events[-1], Done | Failed):
            self.give_back()
