"""The routes of a room's teacher: open it; with its key lead its rounds, read results, close it."""

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from demo.address import read_network
from demo.api.client import Client
from demo.api.dialects.body import write_ignored
from demo.api.openapi import documents, room_replies
from demo.room.bodies import Code, Key, LastSeen, RoomRequest, RoundRequest
from demo.room.event_stream import TeacherStream
from demo.room.export import write_csv
from demo.room.public_address import PublicAddress
from demo.room.qr_code import draw_qr_code
from demo.room.registry import Registry
from demo.room.room import Room

OPENED = (401, 413, 422, 429, 503)
LED = (403, 404, 422, 429)


def add_teacher_routes(router: APIRouter, registry: Registry, address: PublicAddress) -> None:
    def describe(room: Room, request: Request) -> room_replies.RoomOpened:
        base, is_reachable = address.find(request)
        return {
            "code": room.code,
            "key": room.key,
            "url": (url := f"{base}/room/{room.code}"),
            "qr": draw_qr_code(url),
            "reachable": is_reachable,
            "language": room.language,
            "expires_in": room.expires_in,
        }

    @router.post("/rooms", status_code=201, **documents.created(room_replies.RoomOpened, *OPENED))
    async def open_room(
        request: Request, response: Response, client: Client, body: RoomRequest
    ) -> room_replies.RoomOpened:
        """Open a room: a whole class joins it by its code, and receives one run, at random streamed or whole."""
        response.headers.update(write_ignored(body))
        return describe(registry.open(body.language, client).room, request)

    @router.get("/rooms/{code}", **documents.reply(room_replies.RoomOpened, *LED))
    async def find_room(request: Request, code: Code, key: Key = "") -> room_replies.RoomOpened:
        """A room, for the teacher who comes back to it."""
        return describe(registry.find_as_teacher(code, key, read_network(request)).room, request)

    @router.get("/rooms/{code}/events", **documents.room_events(*LED))
    async def follow_room(request: Request, code: Code, key: Key = "", last_seen: LastSeen = None) -> Response:
        """All that happens in a room, as named events: the `state` first, or what follows `Last-Event-ID`."""
        room = registry.find_as_teacher(code, key, read_network(request)).room
        return TeacherStream(room, last_seen, describe(room, request)["url"])

    @router.delete("/rooms/{code}", status_code=204, **documents.nothing(*LED))
    async def close_room(request: Request, code: Code, key: Key = "") -> None:
        """Close a room, and forget all that was answered in it."""
        registry.close(registry.find_as_teacher(code, key, read_network(request)), "teacher")

    _add_round_routes(router, registry)


def _add_round_routes(router: APIRouter, registry: Registry) -> None:
    @router.post(
        "/rooms/{code}/rounds", status_code=202, **documents.accepted(room_replies.RoundState, *LED, 409, 413, 503)
    )
    async def begin_round(
        request: Request, response: Response, client: Client, code: Code, body: RoundRequest, key: Key = ""
    ) -> room_replies.RoundState:
        """Begin a round: a race, a race predicted first, an answer that may be stopped, or all ask at once."""
        response.headers.update(write_ignored(body))
        runner = registry.find_as_teacher(code, key, read_network(request))
        registry.drain.require_open()
        return runner.begin(body, client)

    @router.post(
        "/rooms/{code}/advance", status_code=202, **documents.accepted(room_replies.RoundState, *LED, 409, 503)
    )
    async def advance(request: Request, code: Code, key: Key = "") -> room_replies.RoundState:
        """On to the round's next phase; a run that is under way ends."""
        return registry.find_as_teacher(code, key, read_network(request)).advance()

    @router.get("/rooms/{code}/results", **documents.reply(room_replies.RoomResults, *LED))
    async def read_results(request: Request, code: Code, key: Key = "") -> room_replies.RoomResults:
        """The results of all rounds that have ended."""
        return {"results": registry.find_as_teacher(code, key, read_network(request)).room.results}

    @router.get(
        "/rooms/{code}/results.csv", **documents.text("One line for each phone and round.", *LED, media="text/csv")
    )
    async def export_results(request: Request, code: Code, key: Key = "") -> Response:
        """The answers of all rounds that have ended, as a table."""
        room = registry.find_as_teacher(code, key, read_network(request)).room
        headers = {"Content-Disposition": f'attachment; filename="room-{room.code}.csv"'}
        return PlainTextResponse(write_csv(room.ended, tuple(room.phones.values())), 200, headers, "text/csv")
