"""An Engine wrapper that shares the places of an engine, the requests that it admits at once, between clients."""

import threading
from collections.abc import Callable, Sequence
from typing import Final

from demo.client_key import find_address_key
from demo.engine import Engine, Log, Ticket
from demo.engines.wrapper import EngineWrapper, LogWrapper
from demo.errors import Overloaded
from demo.events import Done, Event, Failed
from demo.places import require_fit
from demo.request import Request
from demo.shared_limit import SharedLimit

PER_ADDRESS: Final = 3  # places that all clients of an address hold, for each that is left free


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
        self._most = min(self._clients.count_most(), self._addresses.count_most())

    def submit_all(self, requests: Sequence[Request], logs: Sequence[Log]) -> Sequence[Ticket]:
        """The requests of one call are one client's."""
        client = requests[0].client
        self._take(client, len(requests))
        places = [_Place(log, lambda: self._give_back(client)) for log in logs]
        try:
            return super().submit_all(requests, places)
        except BaseException:
            for place in places:
                place.give_back()
            raise

    def _take(self, client: str | None, places: int) -> None:
        with self._lock:
            if client is None:
                for _ in range(places):
                    self._clients.add("")
                    self._addresses.add("")
                return
            require_fit(places, self._most, "one client gets at most", f" of this server's {self._clients.limit}")
            if self._clients.is_full:
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
