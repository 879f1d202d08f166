"""The response to a request for a load test: runs it, and streams its events."""

import asyncio
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from demo.api.crowd.crowd import MAX_SECONDS, Crowd, CrowdRegistry
from demo.api.crowd.request import CrowdRequest
from demo.api.delivery.client_tasks import run_until_first_ends, wait_for_disconnect
from demo.api.delivery.streamed import KEEP_ALIVE_SECONDS
from demo.api.dialects import sse
from demo.api.dialects.body import write_ignored

GRACE_SECONDS: Final = 30.0  # for a client that reads the events slowly


class CrowdStream(Response):
    """However it ends, all clients of the load test are stopped."""

    def __init__(self, crowds: CrowdRegistry, plan: CrowdRequest, client: str) -> None:
        super().__init__()
        self._crowds = crowds
        self._plan = plan
        self._client = client

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._crowds.admit(self._plan, self._client) as crowd:
            try:
                timeout = asyncio.sleep(MAX_SECONDS + GRACE_SECONDS)
                await run_until_first_ends(wait_for_disconnect(receive), timeout, self._deliver(crowd, send))
            finally:
                await crowd.close()

    async def _deliver(self, crowd: Crowd, send: Send) -> None:
        headers = Headers({"Content-Type": sse.CONTENT_TYPE, **sse.HEADERS, **write_ignored(self._plan)}).raw
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async for batch in crowd.follow(KEEP_ALIVE_SECONDS):
            if crowd.ended:
                self._crowds.release(crowd)  # before the last event is sent: its reader may start the next load test
            body = b"".join(map(sse.frame, batch)) or sse.KEEP_ALIVE
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
