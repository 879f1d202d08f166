"""The routes of rooms: a teacher opens one and leads its rounds with its key; phones join it; and the phones' page."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import PlainTextResponse, Response

from demo.address import read_network
from demo.api.client import Client
from demo.api.dialects.body import write_ignored
from demo.api.dialects.native import NativeDialect, Parameters
from demo.api.openapi import documents, room_replies
from demo.engine import Engine
from demo.engines.draining import Drain
from demo.errors import BadRequest
from demo.room.bodies import AnswerRequest, Code, Key, LastSeen, PhoneRequest, RoomRequest, RoundRequest, Secret
from demo.room.crowd import CrowdStream
from demo.room.event_stream import PhoneStream, TeacherStream
from demo.room.phone import Phone
from demo.room.phone_page import PhonePage
from demo.room.public_address import PublicAddress, draw_qr_code
from demo.room.registry import Registry
from demo.room.results import write_csv
from demo.room.room import Room
from demo.room.round import Round
from demo.trace import Trace

OPENED = (401, 413, 422, 429, 503)
LED = (403, 404, 422, 429)
FOUND = (404, 422, 429)
PAGE = "The phone's page."
HTML = "text/html"


def build_room_routes(
    engine: Engine, recordings: Sequence[Trace], address: PublicAddress, drain: Drain | None = None
) -> APIRouter:
    """Rooms on `engine`, or with `recordings` where no model answers; phones reach them at `address`."""
    registry = Registry(engine, recordings, drain or Drain(0))

    @asynccontextmanager
    async def close_rooms(app: FastAPI) -> AsyncIterator[None]:
        yield
        registry.close_all("server")

    router = APIRouter(tags=["room"], lifespan=close_rooms)
    _add_teacher_routes(router, registry, address)
    _add_round_routes(router, registry)
    _add_phone_routes(router, registry)
    _add_page_routes(router)
    return router


def _add_teacher_routes(router: APIRouter, registry: Registry, address: PublicAddress) -> None:
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


def _add_phone_routes(router: APIRouter, registry: Registry) -> None:
    @router.post(
        "/rooms/{code}/phones", status_code=201, **documents.created(room_replies.PhoneJoined, *FOUND, 409, 503)
    )
    async def join(request: Request, code: Code) -> room_replies.PhoneJoined:
        """Join a room as a phone, under the name of an animal."""
        origin = read_network(request)
        runner = registry.find(code, origin)
        registry.drain.require_open()
        return write_phone(runner.room.join(origin))

    @router.get("/rooms/{code}/phones/{phone}", **documents.reply(room_replies.PhoneJoined, *FOUND))
    async def find_phone(request: Request, code: Code, phone: Secret) -> room_replies.PhoneJoined:
        """A phone that has joined: whether its room is still there."""
        return write_phone(registry.find(code, read_network(request)).room.find_phone(phone))

    @router.get("/rooms/{code}/phones/{phone}/events", **documents.room_events(*FOUND))
    async def follow(request: Request, code: Code, phone: Secret, last_seen: LastSeen = None) -> Response:
        """What a phone is told, as an EventSource reads it: the `state` first, or what follows `Last-Event-ID`."""
        room = registry.find(code, read_network(request)).room
        return PhoneStream(room, last_seen, room.find_phone(phone))

    @router.post("/rooms/{code}/phones/{phone}/answers", status_code=204, **documents.nothing(*FOUND, 409, 413))
    async def answer(request: Request, response: Response, code: Code, phone: Secret, body: AnswerRequest) -> None:
        """Answer what is asked now: how long it felt, or when the first and the last word will come."""
        response.headers.update(write_ignored(body))
        room = registry.find(code, read_network(request)).room
        record_answer(room.require_round(body.round), room.find_phone(phone), body)

    @router.post("/rooms/{code}/phones/{phone}/stop", status_code=204, **documents.nothing(*FOUND, 409, 413))
    async def stop(request: Request, response: Response, code: Code, phone: Secret, body: PhoneRequest) -> None:
        """Stop this phone's own stream. When all have stopped, the run is cancelled."""
        response.headers.update(write_ignored(body))
        runner = registry.find(code, read_network(request))
        runner.stop(runner.room.find_phone(phone), body.round)

    @router.post("/rooms/{code}/phones/{phone}/requests", **documents.phone_stream())
    async def ask(request: Request, code: Code, phone: Secret, body: PhoneRequest) -> Response:
        """Ask the round's question for this phone alone: answered as `/generate_stream`, or refused with 429."""
        runner = registry.find(code, read_network(request))
        asking, crowd = runner.room.find_phone(phone), runner.require_crowd(body.round)
        dialect = NativeDialect(Parameters(details=True), device="")
        stream = CrowdStream(crowd, asking, crowd.request(asking), dialect)
        stream.early_headers |= write_ignored(body)
        return stream


def write_phone(phone: Phone) -> room_replies.PhoneJoined:
    return {"phone": phone.secret, "number": phone.number, "animal": phone.animal, "colour": phone.colour}


def record_answer(round: Round, phone: Phone, body: AnswerRequest) -> None:
    """Raises Refused (409) where it is not asked, or BadRequest where it is no answer."""
    if body.felt is not None:
        round.guess(phone.number, body.felt)
    elif body.first is None or body.last is None:
        raise BadRequest("The answer is empty: send `felt`, or `first` and `last`.")
    elif body.last < body.first:
        raise BadRequest("The last word can't come before the first: send `last` no less than `first`.")
    else:
        round.predict(phone.number, body.first, body.last)


def _add_page_routes(router: APIRouter) -> None:
    """The phones' page says itself where there is no room with its code."""
    page = PhonePage()

    @router.get("/room", **documents.text(PAGE, media=HTML))
    async def ask_for_code(request: Request) -> Response:
        """The page on which a phone enters a room's code."""
        return page.respond(request.headers.get("accept-encoding", ""))

    @router.get("/room/{code}", **documents.text(PAGE, 422, media=HTML))
    async def open_page(request: Request, code: Code) -> Response:
        """The page of a phone in a room."""
        return page.respond(request.headers.get("accept-encoding", ""))
