"""A tab without a browser, one of many in an event loop: the requests that Gradio's client makes, and their times.

`python -m tests.figures.tab URL PROMPT` opens one in a process of its own; each line it reads is a click on Generate.
"""

import asyncio
import json
import re
import secrets
import sys
import time
import urllib.request
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from anyio.from_thread import BlockingPortal, start_blocking_portal

PREFIX: Final = "/gradio_api"
RETRY_SECONDS: Final = 1.0  # between two requests for a place
CLICK_SECONDS: Final = 120.0  # until all listeners of a click must have ended
CONNECTIONS: Final = 4  # beside the two event streams: a browser opens six
Dependency = dict[str, Any]
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(slots=True)
class Marks:
    """What came of a click, in seconds since it; None for what has not come."""

    answered: float | None = None  # the reply to the click itself
    text: float | None = None  # the first text of the streamed side
    whole: float | None = None  # the text of the other side
    end: float | None = None  # the charts
    errors: list[str] = field(default_factory=list)


class Tab:
    """The page on a port of this machine, seen from one of its addresses; `config` is its /config."""

    def __init__(self, port: int, config: dict[str, Any], address: str = "127.0.0.1") -> None:
        self._port, self._address, self._session = port, address, secrets.token_hex(6)
        self._listeners: dict[int, Dependency] = {each["id"]: each for each in config["dependencies"]}
        self.values = {each["id"]: each["props"].get("value") for each in config["components"]}
        self.ids = {each["props"].get("elem_id"): each["id"] for each in config["components"]}
        self._panes = {
            side: next(each["id"] for each in config["components"] if f'id="{side}-text"' in str(each["props"]))
            for side in ("streamed", "whole")
        }
        self._asked: dict[str, Dependency] = {}
        self._early: dict[str, list[dict[str, Any]]] = {}  # messages that came before the reply to their join
        self._tasks: set[asyncio.Task[None]] = set()
        self._connections: list[Connection] = []
        self._free = asyncio.Semaphore(CONNECTIONS)
        self._running, self._clicked, self._idle = 0, 0.0, asyncio.Event()
        self.marks = Marks()
        self.refusals = 0

    async def open(self) -> None:
        """What the client does as the page opens."""
        for listener in self._find("load"):
            given = ["" if listener["js"] else self.values[each] for each in listener["inputs"]]
            await self._post("/queue/join" if listener["queue"] else "/run/predict", listener, given)
        self._spawn(self._follow(f"{PREFIX}/queue/data?session_hash={self._session}"))

    async def click(self, name: str, timeout: float = CLICK_SECONDS) -> Marks:
        """Click on the button with the id `name`; returns when all its listeners have ended."""
        self.marks, self._clicked = Marks(), time.perf_counter()
        self._idle.clear()
        for listener in self._find("click", self.ids[name]):
            self._begin(listener)
        try:
            await asyncio.wait_for(self._idle.wait(), timeout)
        except TimeoutError:
            self.marks.errors.append("its listeners did not end")
        return self.marks

    async def close(self) -> None:
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for _, writer in self._connections:
            writer.close()

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _find(self, event: str, target: int | None = None) -> list[Dependency]:
        every = self._listeners.values()
        return [each for each in every if any(on == event and target in (None, of) for of, on in each["targets"])]

    def _begin(self, listener: Dependency) -> None:
        self._running += 1
        self._spawn(self._run(listener))

    async def _run(self, listener: Dependency) -> None:
        given = [self.values[each] for each in listener["inputs"]]
        if not listener["backend_fn"]:  # runs in the browser: gathers values
            self.values[listener["outputs"][0]] = given
        elif listener["queue"]:
            status, reply = await self._post("/queue/join", listener, given)
            if status == 200:
                self._asked[reply["event_id"]] = listener
                for message in self._early.pop(reply["event_id"], []):
                    self._receive(message)
                return
        else:
            await self._post("/run/predict", listener, given)
            self.marks.answered = self._time()
        self._end(listener)

    def _end(self, listener: Dependency) -> None:
        for each in self._listeners.values():
            if each["trigger_after"] == listener["id"]:
                self._begin(each)
        self._running -= 1
        if self._running == 0:
            self.marks.end = self._time()
            self._idle.set()

    def _time(self) -> float:
        return time.perf_counter() - self._clicked

    async def _post(self, path: str, listener: Dependency, given: list[Any]) -> tuple[int, Any]:
        body = {"data": given, "event_data": None, "fn_index": listener["id"], "session_hash": self._session}
        async with self._free:
            status, content = await self._fetch(PREFIX + path, json.dumps(body).encode())
            while status == 503:  # as the page's script does
                self.refusals += 1
                await asyncio.sleep(RETRY_SECONDS)
                status, content = await self._fetch(PREFIX + path, json.dumps(body).encode())
        if status != 200:
            self.marks.errors.append(f"{status}: {content.decode()}")
        return status, json.loads(content)

    async def _fetch(self, path: str, body: bytes) -> tuple[int, bytes]:
        while True:
            is_new = not self._connections
            reader, writer = await self._connect() if is_new else self._connections.pop()
            try:
                writer.write(write_request("POST", path, body))
                status, head = await read_head(reader)
                length = int(re.search(rb"content-length: (\d+)", head)[1])  # type: ignore[index]  # no stream
                content = await reader.readexactly(length)
            except (ConnectionError, asyncio.IncompleteReadError):  # the server closes those that are idle
                writer.close()
                if is_new:
                    raise
            else:
                self._connections.append((reader, writer))
                return status, content

    async def _connect(self) -> Connection:
        return await asyncio.open_connection("127.0.0.1", self._port, limit=2**22, local_addr=(self._address, 0))

    async def _follow(self, path: str) -> None:
        """Read an event stream until the tab closes."""
        reader, writer = await self._connect()
        try:
            writer.write(write_request("GET", path))
            status, _ = await read_head(reader)
            assert status == 200, path
            while line := await reader.readline():
                if self.marks.text is not None and b'"process_generating"' in line:
                    continue  # it has nothing to note: the whole side's text comes with its listener's end
                if b'"event_id"' in line:
                    self._receive(json.loads(line.removeprefix(b"data: ")))
        finally:
            with suppress(RuntimeError):  # the event loop has ended
                writer.close()

    def _receive(self, message: dict[str, Any]) -> None:
        event = message.get("event_id")
        if event is None:
            return
        listener = self._asked.get(event)
        if listener is None:
            self._early.setdefault(event, []).append(message)
        elif message["msg"] in ("process_generating", "process_completed"):
            if not message["success"]:
                self.marks.errors.append(str(message))
            self._mark(listener, message["output"].get("data") or [])
            if message["msg"] == "process_completed":
                del self._asked[event]
                self._end(listener)

    def _mark(self, listener: Dependency, data: list[Any]) -> None:
        """Note the first text of each side: a value that has some, or a difference from the last value."""
        for target, value in zip(listener["outputs"], data, strict=False):
            text = json.dumps(value)
            if ('"text": "' in text and '"text": ""' not in text) or '["text"]' in text:
                if target == self._panes["streamed"] and self.marks.text is None:
                    self.marks.text = self._time()
                if target == self._panes["whole"] and self.marks.whole is None:
                    self.marks.whole = self._time()


def write_request(method: str, path: str, body: bytes = b"", fields: str = "") -> bytes:
    """An HTTP/1.1 request, with more header fields if there are some."""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n{fields}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def read_head(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """The status of a reply, and its head in lower case."""
    head = await reader.readuntil(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1]), head.lower()


def read_config(url: str) -> dict[str, Any]:
    """What Gradio's client reads of the page."""
    with urllib.request.urlopen(f"{url}/config") as response:
        config: dict[str, Any] = json.load(response)
    return config


@contextmanager
def open_tabs(url: str, count: int = 1) -> Iterator[tuple[BlockingPortal, list[Tab]]]:
    """Tabs in the event loop of another thread, and the way into it; they are closed at the end of the block."""
    port, config = urlsplit(url).port or 0, read_config(url)
    with start_blocking_portal() as portal:
        tabs = [Tab(port, config) for _ in range(count)]
        for tab in tabs:
            portal.call(tab.open)
        yield portal, tabs
        for tab in tabs:
            portal.call(tab.close)


def main(url: str, prompt: str) -> None:
    with open_tabs(url) as (portal, (tab,)):
        tab.values[tab.ids["prompt"]] = prompt
        for _ in sys.stdin:
            marks = portal.call(tab.click, "generate")
            assert not marks.errors, marks.errors
            print("done", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
