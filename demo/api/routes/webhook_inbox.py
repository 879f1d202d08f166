"""This server's own webhook inboxes: a webhook can be tried without a server to receive it. Bounded."""

import time
from collections import OrderedDict, deque
from typing import Any, Final

from fastapi import APIRouter, Path, Request

from demo.api.dialects.errors import Refused
from demo.api.jobs.webhook import INBOX_ID
from demo.api.openapi import documents, reports

MAX_INBOXES: Final = 64
MAX_DELIVERIES: Final = 4  # of one inbox
MAX_BYTES: Final = 64 * 1024
HEADERS: Final = ("content-type", "webhook-id", "webhook-timestamp", "webhook-signature")
ANY_BODY: Final[dict[str, Any]] = {"requestBody": {"content": {"application/json": {"schema": {}}}}}

InboxId = Path(pattern=f"^{INBOX_ID}$", description="Any name. A client that knows it can read the deliveries.")


class InboxStore:
    """The last deliveries to the inboxes last used. An inbox exists once something was delivered to it."""

    def __init__(self) -> None:
        self._inboxes: OrderedDict[str, deque[reports.InboxDelivery]] = OrderedDict()

    def add(self, id: str, delivery: reports.InboxDelivery) -> None:
        """Append a delivery; the oldest deliveries and inboxes beyond the limits are dropped."""
        self._inboxes.setdefault(id, deque(maxlen=MAX_DELIVERIES)).append(delivery)
        self._inboxes.move_to_end(id)
        while len(self._inboxes) > MAX_INBOXES:
            self._inboxes.popitem(last=False)

    def read(self, id: str) -> list[reports.InboxDelivery]:
        return list(self._inboxes.get(id, ()))


def build_inbox_routes() -> APIRouter:
    """POST to an inbox, and GET its deliveries."""
    router, inboxes = APIRouter(prefix="/webhooks/inbox", tags=["later"]), InboxStore()

    @router.post("/{id}", status_code=204, openapi_extra=ANY_BODY, **documents.nothing(413, 422))
    async def receive(request: Request, id: str = InboxId) -> None:
        """Receive a webhook."""
        body = await request.body()
        if len(body) > MAX_BYTES:
            raise Refused("too_large", f"An inbox takes at most {MAX_BYTES} bytes at once.")
        headers = {name: request.headers[name] for name in HEADERS if name in request.headers}
        inboxes.add(id, {"received": time.time(), "headers": headers, "body": body.decode(errors="replace")})

    @router.get("/{id}", **documents.reply(reports.Inbox, 422))
    async def look(id: str = InboxId) -> reports.Inbox:
        """The deliveries of an inbox, oldest first."""
        return {"deliveries": inboxes.read(id)}

    return router
