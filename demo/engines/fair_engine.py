"""An Engine wrapper that shares the places of an engine, the requests that it admits at once, between clients."""

import heapq
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, count
from typing import Final, NamedTuple

from demo.client_key import find_address_key
from demo.engine import Engine, Log, Ticket, require_fit
from demo.engines.returning_clients import ReturningClients
from demo.engines.wrapper import EngineWrapper, Place
from demo.errors import Overloaded
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
        self._places: set[Place] = set()
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
            tickets = self._submit(requests, [Place(log, self._give_back, client) for log in logs])
        except Overloaded as error:
            if client is not None:
                error.expect(self.find_wait(client, len(requests)))
            raise
        return tickets

    def _submit(self, requests: Sequence[Request], places: Sequence[Place]) -> Sequence[Ticket]:
        with self._lock:
            self._places.update(places)
        self._returning.note_request(places[0].client, None, self._clock())
        try:
            tickets = super().submit_all(requests, places)
        except BaseException:
            for place in places:
                self._give_back(place)
            raise
        with self._lock:
            for place, ticket in zip(places, tickets, strict=True):
                if place in self._places:  # an ended run's place and ticket would refer to each other
                    place.ticket = ticket
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

    def _foresee(self, client: str, held: Sequence[Place], limits: "_Limits") -> "Iterator[_Change]":
        """Who gives back or takes a place when, in order, but for what `client` takes. The caller keeps `limits`."""
        now = self._clock()
        numbers = count()
        back = ((habit.find_back(now), other, True) for other, habit in self._returning.list_away(now))
        ends = ((place.find_remaining(), place.client, False) for place in held)
        changes = [
            _Change(seconds, next(numbers), who, takes)
            for seconds, who, takes in chain(back, ends)
            if seconds is not None and not (takes and who == client)
        ]
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
                heapq.heappush(changes, _Change(seconds, next(numbers), change.client, not change.takes))

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
            if (refusing := self._limits.take_all(client, places)) is not None:
                if refusing is self._limits.clients:
                    raise Overloaded(
                        f"You have {refusing.count(client)} of the server's {limit} places, and {refusing.free} are "
                        "left for all others: try again when one of your requests has ended."
                    )
                raise Overloaded(
                    f"Your address has {refusing.count(find_address_key(client))} of the server's {limit} places, and "
                    f"{refusing.free} are left for all others: try again when one of its requests has ended."
                )

    def _give_back(self, place: Place) -> None:
        with self._lock:
            if place in self._places:
                self._places.discard(place)
                place.ticket = None
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
        self.clients.give_back(client or "")
        self.addresses.give_back(find_address_key(client or ""))


class _Change(NamedTuple):
    """That a client is expected to take a place or to give one back, in so many seconds; of several, by number."""

    seconds: float
    number: int
    client: str | None
    takes: bool
