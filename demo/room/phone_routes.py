"""The routes of a room's phones: join, follow, answer, stop, and ask for themselves."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from demo.address import read_network
from demo.api.dialects.body import write_ignored
from demo.api.dialects.native import NativeDialect, Parameters
from demo.api.openapi import documents, room_replies
from demo.errors import BadRequest
from demo.room.bodies import AnswerRequest, Code, LastSeen, PhoneRequest, Secret
from demo.room.crowd import CrowdStream
from demo.room.event_stream import PhoneStream
from demo.room.phone import Phone
from demo.room.registry import Registry
from demo.room.round import Round

FOUND = (404, 422, 429)


def add_phone_routes(router: APIRouter, registry: Registry) -> None:
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
