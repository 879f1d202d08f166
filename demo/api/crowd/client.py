"""One HTTP client of a load test: sends its request, and retries with backoff while it is refused."""

import asyncio
import json
import random
import ssl
from collections.abc import Callable, Mapping
from typing import Final, Literal

import httpx2
from typing_extensions import Unpack

from demo.api.crowd.event_log import EventLog
from demo.api.crowd.request import CrowdRequest
from demo.api.dialects.errors import RETRY_AFTER_MS
from demo.api.openapi.replies import NativeError, NativeEvent
from demo.api.openapi.reports import CrowdAttempt, CrowdEventFields, CrowdEventName, CrowdRefusal, CrowdVisit
from demo.events import Started, is_elsewhere
from demo.run import Run

FIRST_PAUSE_SECONDS: Final = 0.25
PROMPT: Final = "The first step in making cheese is to"
TIMEOUT: Final = httpx2.Timeout(None, connect=10.0)
# The clients use no TLS. A context that httpx2 makes reads every authority's certificate, for each client.
NO_TLS: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class CrowdClient:
    """Client `number` of a load test, run by `request_until_served`."""

    def __init__(self, number: int, url: str, plan: CrowdRequest, log: EventLog) -> None:
        self.record = CrowdVisit(number)
        self._run: Run | None = None  # of the attempt that was admitted
        self._retry_after = 0.0  # seconds, from the last refusal
        self._url = url
        self._attempts = plan.attempts
        self._log = log
        self._body = {
            "inputs": PROMPT,
            "parameters": {
                "max_new_tokens": plan.max_new_tokens,
                "details": True,
                "ignore_eos": True,
                "raw": True,
                "cache_prompt": False,  # clients share no prefix
            },
        }
        self._random = random.Random(None if plan.seed is None else f"{plan.seed} {number}")
        self._http = httpx2.AsyncClient(trust_env=False, timeout=TIMEOUT, verify=NO_TLS)

    async def request_until_served(self) -> None:
        async with self._http:
            for attempt in range(1, self._attempts + 1):
                try:
                    refused = await self._send_request(attempt)
                except (httpx2.HTTPError, OSError) as error:
                    self._fail(f"{type(error).__name__}: {error}")
                    return
                if not refused:
                    return
                if attempt < self._attempts:
                    await self._back_off(attempt)
        self._end("gave_up")

    def record_admission(self, run: Run) -> None:
        self._run, self.record.admitted = run, self._log.since_start(run.admitted)
        self._log.record("admitted", self.record.admitted, client=self.record.client)

    async def _send_request(self, attempt: int) -> bool:
        """One request, to its end. Whether it was refused with 429."""
        sent = CrowdAttempt(self._note("asked", attempt=attempt))
        self.record.attempts.append(sent)
        query = {"client": self.record.client}
        async with self._http.stream("POST", self._url, params=query, json=self._body) as response:
            sent.answered, sent.status = self._log.now(), response.status_code
            if response.status_code != 200:
                await response.aread()
                return self._read_refusal(response, attempt)
            await self._read_stream(response)
        return False

    def _read_refusal(self, response: httpx2.Response, attempt: int) -> bool:
        body: NativeError = response.json()
        if response.status_code != 429:
            self._fail(body["error"])
            return False
        self._log.refusal = self._log.refusal or write_as_received(response)
        self._retry_after = read_retry_after(response.headers)
        kind, sentence, pause = body["error_type"], body["error"], self._retry_after
        self._note("refused", attempt=attempt, status=429, retry_after=pause, error_type=kind, error=sentence)
        return True

    async def _read_stream(self, response: httpx2.Response) -> None:
        async for line in response.aiter_lines():
            if line.startswith("data:"):
                event = json.loads(line.removeprefix("data:"))
                if "error" in event:
                    self._fail(event["error"])
                    return
                self._read_token(event)
        self._end("served")

    def _read_token(self, event: NativeEvent) -> None:
        record = self.record
        record.tokens += 1
        if record.first_token is None and event["token"]["text"] and not event["token"]["special"]:
            record.started = self._find_start()
            record.first_token = self._note("first_token", started=record.started)
            record.waited = round(record.first_token - record.attempts[0].asked, 6)
        if event["details"] is not None:
            record.timings = event["details"]["timings"]

    def _find_start(self) -> float | None:
        """When it left the engine's queue; None where an engine elsewhere does not tell it."""
        events = self._run.events if self._run is not None else ()
        if is_elsewhere(events):
            return None
        return next((self._log.since_start(event.time) for event in events if isinstance(event, Started)), None)

    async def _back_off(self, attempt: int) -> None:
        pause = compute_pause(attempt, self._retry_after, self._random.uniform)
        self._note("backing_off", attempt=attempt, retry_after=self._retry_after, pause=pause)
        await asyncio.sleep(pause)

    def _fail(self, sentence: str) -> None:
        self.record.error = sentence
        self._end("failed", error=sentence)

    def _end(self, outcome: Literal["served", "gave_up", "failed"], **more: Unpack[CrowdEventFields]) -> None:
        self.record.outcome = outcome
        self.record.end = self._note(outcome, **more)

    def _note(self, event: CrowdEventName, **more: Unpack[CrowdEventFields]) -> float:
        at, more = self._log.now(), {"client": self.record.client, **more}
        self._log.record(event, at, **more)
        return at


def read_retry_after(headers: Mapping[str, str]) -> float:
    """The seconds that a refusal asks for: in milliseconds where it says them, else in whole seconds."""
    milliseconds = headers.get(RETRY_AFTER_MS)
    return float(headers.get("retry-after", 0)) if milliseconds is None else float(milliseconds) / 1000


def compute_pause(attempt: int, retry_after: float, uniform: Callable[[float, float], float]) -> float:
    """Seconds to wait after attempt number `attempt`, counted from 1.

    Exponential backoff with full jitter on top of Retry-After, so that clients refused together do not return together.
    """
    return retry_after + uniform(0, FIRST_PAUSE_SECONDS * 2.0 ** (attempt - 1))


def write_as_received(response: httpx2.Response) -> CrowdRefusal:
    """The head and the body of a response, as text."""
    lines = [f"{response.http_version} {response.status_code} {response.reason_phrase}"]
    lines += [f"{name.decode('latin-1')}: {value.decode('latin-1')}" for name, value in response.headers.raw]
    return {"head": "\n".join(lines), "body": response.text}
