"""An Engine wrapper that shares the places of an engine, the requests that it admits at once, between clients."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from demo.client_key import find_address_key
from demo.engines.wrapper import EngineWrapper, LogWrapper
from demo.errors import Overloaded
from demo.events import Done, Engine, Event, Failed, Log, Request, Ticket

PER_ADDRESS: Final = 3  # places that all clients of an address hold, for each that is left free


class FairEngine(EngineWrapper):
    """A client may take a place only while it holds fewer than are left free.

    So a client alone gets half of all places, k greedy ones get 1/(k + 1) each, and as many stay free for the others
    (the dynamic threshold of Choudhury and Hahne, 1998). Keys and sessions can be invented: those of one address hold
    at most three quarters together. Requests without a client come from this process, and are only counted.
    """

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._lock = threading.Lock()
        self._held: Counter[str] = Counter()  # by client, and by address
        self._taken = 0

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
            limit = self._engine.load.limit
            free = limit - self._taken
            if client is not None and free > 0:
                self._check(client, find_address_key(client), free, limit)
            elif client is not None:
                # The engine frees a place a moment before this does: it must not go to whoever asks the most often.
                self._engine.admit()
                raise Overloaded("All places have just been taken: try again in a few seconds.")
            self._taken += 1
            self._held.update(_list_names(client))

    def _check(self, client: str, address: str, free: int, limit: int) -> None:
        if self._held[client] >= free:
            raise Overloaded(
                f"You have {self._held[client]} of the server's {limit} places, and {free} are left for all others: "
                "try again when one of your requests has ended."
            )
        if self._held[address] >= PER_ADDRESS * free:
            raise Overloaded(
                f"Your address has {self._held[address]} of the server's {limit} places, and {free} are left for all "
                "others: try again when one of its requests has ended."
            )

    def _give_back(self, client: str | None) -> None:
        with self._lock:
            self._taken -= 1
            self._held.subtract(_list_names(client))
            self._held = +self._held  # drops clients without places


def _list_names(client: str | None) -> tuple[str, ...]:
    return () if client is None else (client, find_address_key(client))


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
