"""A crowd: many HTTP clients that ask at once, over connections of their own, and what happens to each.

Knows no route; it is told where to ask. Every `at` is in seconds since the crowd began, by this process's clock,
which is the engine's too.
"""

import asyncio
import json
import random
import secrets
import ssl
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal, TypeAlias

import httpx

from demo.api.dialects.errors import Json
from demo.engines.sandbox import Sandbox
from demo.events import Engine, Started
from demo.run import Run

Outcome: TypeAlias = Literal["served", "gave_up", "failed", "unfinished"]

LONGEST_SECONDS: Final = 120.0
ATTEMPTS: Final = 8  # this and the pauses: those of assets/snippets/python-retry.py
FIRST_PAUSE_SECONDS: Final = 0.25
PROMPT: Final = "The first step in making cheese is to"
PATIENCE: Final = httpx.Timeout(None, connect=10.0)
# Nothing here speaks TLS. A context that httpx makes itself reads every authority's certificate, for each client.
NO_TLS: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@dataclass(frozen=True, slots=True)
class Plan:
    """How many come, how many of them may be answered at once, and whether those who are refused ask again."""

    clients: int
    limit: int
    retry: bool
    max_new_tokens: int
    seed: int | None = None

    @property
    def attempts(self) -> int:
        """How often a client asks at most."""
        return ATTEMPTS if self.retry else 1


@dataclass(slots=True)
class Attempt:
    """One request: when it was asked, and the first that came back."""

    asked: float
    answered: float | None = None
    status: int | None = None


@dataclass(slots=True)
class Visit:
    """What one client went through. Times in seconds since the crowd began; `timings` as its stream told them."""

    client: int
    outcome: Outcome = "unfinished"
    attempts: list[Attempt] = field(default_factory=list)
    admitted: float | None = None
    started: float | None = None
    first_token: float | None = None
    end: float | None = None
    tokens: int = 0
    waited: float | None = None
    timings: Json | None = None
    error: str | None = None


class Crowd:
    """All clients of one plan, and the sandbox they ask. `begin` it, `follow` what happens, and `close` it.

    To the engine all of them are `client`, the one that asked for the crowd: as twenty clients they would have twenty
    times the share of anyone else, for one click.
    """

    def __init__(self, engine: Engine, server_url: str, plan: Plan, client: str) -> None:
        self.id = secrets.token_urlsafe(16)
        self.sandbox = Sandbox(engine, plan.limit)
        self.plan = plan
        self.client = client
        self.refusal: Json | None = None  # the first one, as it was received
        self._events: list[Json] = []
        self._news = asyncio.Event()
        address = f"{server_url}/crowds/{self.id}/generate_stream"
        self._clients = [Client(number, address, self) for number in range(1, plan.clients + 1)]
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Everyone asks, now."""
        self._began = time.perf_counter()
        plan = asdict(self.plan) | {"limit": self.sandbox.limit, "attempts": self.plan.attempts}
        self.note("begun", 0.0, **plan)
        self._task = asyncio.ensure_future(self._run())
        self._task.add_done_callback(lambda _: self._news.set())

    @property
    def over(self) -> bool:
        """Whether everyone has gone."""
        return self._task is not None and self._task.done()

    async def close(self) -> None:
        """Send everyone home, and give back every place. Harmless at the end."""
        self.sandbox.close()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def since(self, time: float) -> float:
        """A moment of this process's clock, in seconds since the crowd began."""
        return round(time - self._began, 6)

    def now(self) -> float:
        """The present moment, likewise."""
        return self.since(time.perf_counter())

    def note(self, event: str, at: float, **more: Any) -> None:
        """Something happened."""
        self._events.append({"event": event, "at": at, **more})
        self._news.set()

    def note_admission(self, number: int, run: Run) -> None:
        """The sandbox has admitted client `number`, which can't know it before its first token."""
        if number <= len(self._clients):
            client = self._clients[number - 1]
            client.run, client.visit.admitted = run, self.since(run.admitted)
            self.note("admitted", client.visit.admitted, client=number)

    async def follow(self, silence: float) -> AsyncIterator[Sequence[Json]]:
        """What happens, as it happens, to its end; nothing where nothing has happened for `silence` seconds."""
        assert self._task is not None, "the crowd has not begun"
        told = 0
        while told < len(self._events) or not self.over:
            if told == len(self._events):
                self._news.clear()
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._news.wait(), silence)
            batch = self._events[told:]
            told += len(batch)
            yield batch
        self._task.result()

    async def _run(self) -> None:
        visits = [asyncio.ensure_future(client.ask_until_served()) for client in self._clients]
        try:
            _, late = await asyncio.wait(visits, timeout=LONGEST_SECONDS)
        finally:
            for visit in visits:
                visit.cancel()
            await asyncio.wait(visits)
        for visit in visits:
            if not visit.cancelled():
                visit.result()
        self.sandbox.close()
        clients = [asdict(client.visit) for client in self._clients]
        self.note("ended", self.now(), in_time=not late, clients=clients, refusal=self.refusal)


class Client:
    """One of the crowd: asks, and asks again where it may."""

    def __init__(self, number: int, address: str, crowd: Crowd) -> None:
        self.visit = Visit(number)
        self.run: Run | None = None  # of the attempt that was admitted
        self._retry_after = 0.0  # seconds, as the last refusal said
        self._address = address
        self._crowd = crowd
        self._body = {
            "inputs": PROMPT,
            "parameters": {
                "max_new_tokens": crowd.plan.max_new_tokens,
                "details": True,
                "ignore_eos": True,
                "raw": True,
                "cache_prompt": False,  # strangers share nothing
            },
        }
        seed = crowd.plan.seed
        self._random = random.Random(None if seed is None else f"{seed} {number}")
        self._http = httpx.AsyncClient(trust_env=False, timeout=PATIENCE, verify=NO_TLS)

    async def ask_until_served(self) -> None:
        """Until it is served, has failed, or has asked often enough."""
        async with self._http:
            for attempt in range(1, self._crowd.plan.attempts + 1):
                try:
                    refused = await self._ask(attempt)
                except (httpx.HTTPError, OSError) as error:
                    self._fail(f"{type(error).__name__}: {error}")
                    return
                if not refused:
                    return
                if attempt < self._crowd.plan.attempts:
                    await self._back_off(attempt)
        self._end("gave_up")

    async def _ask(self, attempt: int) -> bool:
        """One request, to its end. Whether it was refused for the moment."""
        asked = Attempt(self._note("asked", attempt=attempt))
        self.visit.attempts.append(asked)
        query = {"client": self.visit.client}
        async with self._http.stream("POST", self._address, params=query, json=self._body) as response:
            asked.answered, asked.status = self._crowd.now(), response.status_code
            if response.status_code != 200:
                await response.aread()
                return self._read_refusal(response, attempt)
            await self._read_stream(response)
        return False

    def _read_refusal(self, response: httpx.Response, attempt: int) -> bool:
        told = response.json()
        if response.status_code != 429:
            self._fail(told["error"])
            return False
        self._crowd.refusal = self._crowd.refusal or write_as_received(response)
        self._retry_after = float(response.headers.get("retry-after", 0))
        kind = {"error_type": told["error_type"], "error": told["error"]}
        self._note("refused", attempt=attempt, status=429, retry_after=self._retry_after, **kind)
        return True

    async def _read_stream(self, response: httpx.Response) -> None:
        async for line in response.aiter_lines():
            if line.startswith("data:"):
                event = json.loads(line.removeprefix("data:"))
                if "error" in event:
                    self._fail(event["error"])
                    return
                self._read_token(event)
        self._end("served")

    def _read_token(self, event: Json) -> None:
        visit = self.visit
        visit.tokens += 1
        if visit.first_token is None and event["token"]["text"] and not event["token"]["special"]:
            visit.started = self._find_start()
            visit.first_token = self._note("first_token", started=visit.started)
            visit.waited = round(visit.first_token - visit.attempts[0].asked, 6)
        if event["details"] is not None:
            visit.timings = event["details"]["timings"]

    def _find_start(self) -> float | None:
        events = self.run.events if self.run is not None else ()
        return next((self._crowd.since(event.time) for event in events if isinstance(event, Started)), None)

    async def _back_off(self, attempt: int) -> None:
        pause = pause_after(attempt, self._retry_after, self._random.uniform)
        self._note("backing_off", attempt=attempt, retry_after=self._retry_after, pause=pause)
        await asyncio.sleep(pause)

    def _fail(self, sentence: str) -> None:
        self.visit.error = sentence
        self._end("failed", error=sentence)

    def _end(self, outcome: Outcome, **more: Any) -> None:
        self.visit.outcome = outcome
        self.visit.end = self._note(outcome, **more)

    def _note(self, event: str, **more: Any) -> float:
        at = self._crowd.now()
        self._crowd.note(event, at, client=self.visit.client, **more)
        return at


def pause_after(attempt: int, retry_after: float, uniform: Callable[[float, float], float]) -> float:
    """Seconds to wait after attempt number `attempt`, counted from 1.

    Never less than the server asked for, and on top a random time whose limit doubles with each attempt: exponential
    backoff with full jitter, so that clients refused together don't return together.
    """
    return retry_after + uniform(0, FIRST_PAUSE_SECONDS * 2.0 ** (attempt - 1))


def write_as_received(response: httpx.Response) -> Json:
    """The bytes of a response's head and body, as text."""
    lines = [f"{response.http_version} {response.status_code} {response.reason_phrase}"]
    lines += [f"{name.decode('latin-1')}: {value.decode('latin-1')}" for name, value in response.headers.raw]
    return {"head": "\n".join(lines), "body": response.text}
