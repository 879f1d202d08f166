"""This server's own webhook inboxes: a webhook can be tried without a server to receive it. Bounded."""

from collections import OrderedDict, deque
from typing import Final

from demo.api.openapi.reports import InboxDelivery

MAX_INBOXES: Final = 64
MAX_DELIVERIES: Final = 4  # of one inbox


class InboxStore:
    """The last deliveries to the inboxes last used. An inbox exists once something was delivered to it."""

    def __init__(self) -> None:
        self._inboxes: OrderedDict[str, deque[InboxDelivery]] = OrderedDict()

    def add(self, id: str, delivery: InboxDelivery) -> None:
        """Append a delivery; the oldest deliveries and inboxes beyond the limits are dropped."""
        self._inboxes.setdefault(id, deque(maxlen=MAX_DELIVERIES)).append(delivery)
        self._inboxes.move_to_end(id)
        while len(self._inboxes) > MAX_INBOXES:
            self._inboxes.popitem(last=False)

    def read(self, id: str) -> list[InboxDelivery]:
        return list(self._inboxes.get(id, ()))
