"""A class in a room, over ASGI: a teacher, and phones that join, follow their events and answer."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, FastAPI

from demo.api.application import create_api
from demo.api.middleware.exception_handlers import add_exception_handlers
from demo.engine import Engine
from demo.engines.draining import Drain
from demo.engines.metered import MeteredEngine
from demo.room.public_address import PublicAddress
from demo.room.routes import build_room_routes
from demo.settings import Settings
from demo.trace import Trace
from tests.api.script import AnsweredTicket, TicketEngine
from tests.api.visit import Visit

ADDRESS = PublicAddress("http://room.test", 80, is_reached=True)


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.content)


@dataclass(frozen=True)
class Named:
    name: str
    id: int | None
    data: Any


class Follower:
    """An event stream of a room, as a browser's EventSource reads it."""

    def __init__(self, app: FastAPI, path: str, headers: dict[str, str]) -> None:
        self.visit = Visit(app, path, b"", headers, method="GET").start()

    @property
    def events(self) -> list[Named]:
        """All that came, without signs of life."""
        blocks = self.visit.body.decode().split("\n\n")[:-1]
        fields = [dict(line.split(": ", 1) for line in block.split("\n")) for block in blocks]
        found = [
            Named(each["event"], int(each["id"]) if "id" in each else None, json.loads(each["data"])) for each in fields
        ]
        return [event for event in found if event.name != "ping"]

    def pick(self, name: str) -> list[Any]:
        return [event.data for event in self.events if event.name == name]

    @property
    def text(self) -> str:
        """The answer as a page shows it: the last state's text, and what came after it."""
        text = ""
        for event in self.events:
            if event.name == "state":
                text = event.data["text"]
            elif event.name == "text":
                text += event.data["text"]
        return text

    async def until(self, name: str, holds: Callable[[Any], bool] = lambda data: True) -> Any:
        """The data of an event of this name for which `holds` is true, once it has come."""
        await self.visit.until(lambda: any(map(holds, self.pick(name))))
        return next(filter(holds, self.pick(name)))

    async def leave(self) -> int:
        """Disconnect; the `id` of the last event that came."""
        await self.visit.hang_up()
        return max(event.id or 0 for event in self.events)


class Phone:
    """One that has joined. `stream` is its present event stream."""

    def __init__(self, room: "Classroom", place: dict[str, Any]) -> None:
        self.number: int = place["number"]
        self.secret: str = place["phone"]
        self._room = room
        self.path = f"{room.path}/phones/{self.secret}"
        self.stream = Follower(room.app, f"{self.path}/events", {})

    def come_back(self, last_seen: int | None = None) -> Follower:
        """A new event stream, as an EventSource opens it after a break; without an id, after a reload."""
        headers = {} if last_seen is None else {"last-event-id": str(last_seen)}
        self.stream = Follower(self._room.app, f"{self.path}/events", headers)
        return self.stream

    async def answer(self, **body: Any) -> int:
        return (await self._room.ask("POST", f"{self.path}/answers", {"round": self._room.number, **body})).status

    async def stop(self) -> int:
        return (await self._room.ask("POST", f"{self.path}/stop", {"round": self._room.number})).status

    def request(self) -> Visit:
        return Visit(self._room.app, f"{self.path}/requests", {"round": self._room.number}).start()

    @property
    def arm(self) -> str:
        """That of the last round it was told of."""
        return str(self.stream.pick("round")[-1]["arm"])


def open_rooms(rooms: APIRouter) -> FastAPI:
    """The routes of rooms alone, which takes a third of the time."""
    app = FastAPI()
    app.include_router(rooms)
    add_exception_handlers(app)
    return app


class Classroom:
    """A room that is open. `number` is that of its present round. With `settings` it is in the whole API."""

    def __init__(
        self,
        engine: Engine | None = None,
        recordings: Sequence[Trace] = (),
        drain: Drain | None = None,
        settings: Settings | None = None,
    ) -> None:
        self.engine = engine or TicketEngine()
        measured = MeteredEngine(self.engine)
        rooms = build_room_routes(measured, recordings, ADDRESS, drain)
        self.app = open_rooms(rooms) if settings is None else create_api(measured, settings, rooms=rooms, drain=drain)
        self.number = 0

    async def open(self, phones: int = 0, **headers: str) -> "Classroom":
        """Open the room, with the teacher's page and so many phones that follow it."""
        self.room = (await self.ask("POST", "/rooms", {}, headers)).body
        self.path, self.key = f"/rooms/{self.room['code']}", {"x-room-key": self.room["key"]}
        self.teacher = await self.follow()
        self.phones = [await self.join() for _ in range(phones)]
        return self

    async def follow(self, last_seen: int | None = None) -> Follower:
        """A teacher's page, that has its first event."""
        resumed = {} if last_seen is None else {"last-event-id": str(last_seen)}
        follower = Follower(self.app, f"{self.path}/events", {**self.key, **resumed})
        await follower.visit.until(lambda: bool(follower.events))
        return follower

    async def join(self) -> Phone:
        """One more phone, that has its first event."""
        phone = Phone(self, (await self.ask("POST", f"{self.path}/phones")).body)
        await phone.stream.until("state")
        return phone

    async def begin(self, kind: str, **body: Any) -> dict[str, Any]:
        """A round, which every phone is told of."""
        reply = await self.lead("POST", "rounds", {"kind": kind, "prompt": "hi", **body})
        assert reply.status == 202, reply.content
        self.number = reply.body["number"]
        for phone in self.phones:
            await phone.stream.until("round", lambda round: round["number"] == self.number)
        return dict(reply.body)

    async def lead(self, method: str, part: str = "", body: Any = None) -> Reply:
        return await self.ask(method, f"{self.path}/{part}".rstrip("/"), body, self.key)

    async def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Reply:
        visit = Visit(self.app, path, b"" if body is None else body, headers, method).start()
        await visit.until_ended()
        return Reply(visit.sent[0]["status"], visit.headers, visit.body)

    def ticket(self, index: int = -1) -> AnsweredTicket:
        """A run that the test writes, by default the last one."""
        assert isinstance(self.engine, TicketEngine)
        return self.engine.ticket(index)

    def find_phones(self, arm: str) -> list[Phone]:
        return [phone for phone in self.phones if phone.arm == arm]


async def open_round(phones: int, kind: str, **body: Any) -> Classroom:
    """A class of so many phones, in a round."""
    room = await Classroom().open(phones)
    await room.begin(kind, **body)
    return room


async def open_running(phones: int, kind: str, **body: Any) -> tuple[Classroom, AnsweredTicket]:
    """The same, and its run, which has made the token "The "."""
    room = await open_round(phones, kind, **body)
    ticket = room.ticket()
    ticket.start()
    ticket.write("The ")
    return room, ticket
