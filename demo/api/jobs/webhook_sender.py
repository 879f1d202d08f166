"""Sends webhooks: one signed POST, repeated until it is accepted. Follows no redirect."""

import asyncio
import re
import time
from collections.abc import Sequence
from typing import Final

import httpx2

from demo.api.jobs.allowed_hosts import AllowedHosts
from demo.api.jobs.webhook import Webhook, sign
from demo.api.openapi.reports import WebhookAttempt
from demo.api.traffic import CountedTransport
from demo.errors import BadRequest

INBOX_PATH: Final = "/webhooks/inbox/"
INBOX_ID: Final = "[A-Za-z0-9_-]{1,64}"
BACKOFF_SECONDS: Final = (1.0, 2.0, 4.0, 8.0)  # before each further attempt
TIMEOUT_SECONDS: Final = 10.0


class WebhookSender:
    """Sends to the hosts `allowed` by the operator, and to the inboxes of this server at `server_url`."""

    def __init__(self, server_url: str, allowed: Sequence[str]) -> None:
        self._server_url = server_url
        self._allowed = AllowedHosts(allowed)

    def make_webhook(self, url: str, *prefixes: str) -> Webhook:
        """A webhook for `url`. Raises BadRequest if it is not allowed.

        `prefixes` are the addresses under which the client reaches this server, and its inboxes.
        """
        for prefix in (self._server_url, *prefixes):
            if is_inbox(path := url.removeprefix(prefix)):
                return Webhook(self._server_url + path)
        self._allowed.parse(url)
        return Webhook(url)

    async def deliver(self, webhook: Webhook, id: str, body: bytes) -> None:
        """POST `body` until it is accepted, with an attempt more than BACKOFF_SECONDS has pauses."""
        transport = CountedTransport(webhook.traffic)
        async with httpx2.AsyncClient(timeout=TIMEOUT_SECONDS, transport=transport, trust_env=False) as client:
            for pause in (0.0, *BACKOFF_SECONDS):
                await asyncio.sleep(pause)
                attempt = await self._post(client, webhook, id, body)
                webhook.attempts.append(attempt)
                if attempt["status"] is not None and 200 <= attempt["status"] < 300:
                    webhook.state, webhook.accepted = "delivered", time.perf_counter()
                    return
        webhook.state = "failed"

    async def _post(self, client: httpx2.AsyncClient, webhook: Webhook, id: str, body: bytes) -> WebhookAttempt:
        now = time.time()
        headers = {"Content-Type": "application/json", **sign(webhook.secret, id, int(now), body)}
        try:
            request = await self._build_request(client, webhook.url, headers, body)
            response = await client.send(request, stream=True, follow_redirects=False)
            await response.aclose()
        except BadRequest as error:
            return {"at": now, "status": None, "error": str(error)}
        except (httpx2.HTTPError, OSError) as error:
            return {"at": now, "status": None, "error": f"{type(error).__name__}: {error}"}
        return {"at": now, "status": response.status_code, "error": None}

    async def _build_request(
        self, client: httpx2.AsyncClient, target: str, headers: dict[str, str], body: bytes
    ) -> httpx2.Request:
        if is_inbox(target.removeprefix(self._server_url)):
            return client.build_request("POST", target, headers=headers, content=body)
        url = self._allowed.parse(target)
        # Connect to the address that was checked: the name may resolve to another one a moment later.
        connected = url.copy_with(host=str(await self._allowed.resolve(url)))
        headers["Host"] = url.netloc.decode("ascii")
        return client.build_request(
            "POST", connected, headers=headers, content=body, extensions={"sni_hostname": url.host}
        )


def is_inbox(path: str) -> bool:
    return re.fullmatch(f"{INBOX_PATH}{INBOX_ID}", path) is not None
