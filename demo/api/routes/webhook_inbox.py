"""This server's own inboxes: where a webhook can be seen to arrive, without a server of one's own. Bounded."""

import time
from collections import OrderedDict, deque
from typing import Any, Final

from fastapi import APIRouter, Path, Request

from demo.api.dialects.errors import Refused
from demo.api.jobs.webhooks import INBOX_ID
from demo.api.openapi import documents, reports

MAX_INBOXES: Final = 64
MAX_DELIVERIES: Final = 4
MAX_BYTES: Final = 64 * 1024
HEADERS: Final = ("content-type", "webhook-id", "webhook-timestamp", "webhook-signature")

InboxId = Path(pattern=f"^{INBOX_ID}$", description="Any name; whoever knows it can read what came.")
ANY_BODY: Final[dict[str, Any]] = {"requestBody": {"content": {"application/json": {"schema": {}}}}}


class Inboxes:
    """The last deliveries to the inboxes last used; older ones are forgotten."""

    def __init__(self) -> None:
        self._inboxes: OrderedDict[str, deque[reports.InboxDelivery]] = OrderedDict()

    def put(self, id: str, delivery: reports.InboxDelivery) -> None:
        """Keep a delivery."""
        self._inboxes.setdefault(id, deque(maxlen=MAX_DELIVERIES)).append(delivery)
        self._inboxes.move_to_end(id)
        while len(self._inboxes) > MAX_INBOXES:
            self._inboxes.popitem(last=False)

    def read(self, id: str) -> list[reports.InboxDelivery]:
        """What came, oldest first."""
        return list(self._inboxes.get(id, ()))


def build_inbox_routes() -> APIRouter:
    """POST to an inbox, and look into it."""
    router = APIRouter(prefix="/webhooks/inbox", tags=["later"])
    inboxes = Inboxes()

    @router.post("/{id}", status_code=204, openapi_extra=ANY_BODY, **documents.nothing(413, 422))
    async def receive(request: Request, id: str = InboxId) -> None:
        """Where a webhook may be sent."""
        body = await request.body()
        if len(body) > MAX_BYTES:
            raise Refused("too_large", f"An inbox takes at most {MAX_BYTES} bytes at once.")
        headers = {name: request.headers[name] for name in HEADERS if name in request.headers}
        inboxes.put(id, {"received": time.time(), "headers": headers, "body": body.decode(errors="replace")})

    @router.get("/{id}", **documents.reply(reports.Inbox, 422))
    async def look(id: str = InboxId) -> reports.Inbox:
        """What has arrived, oldest first."""
        return {"deliveries": inboxes.read(id)}

    return router
