"""The events of a room as a response: the state first, then what happens, from the room's one feed. Pure ASGI.

However it ends, the room knows that its reader is gone.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from demo.api.delivery.client_tasks import StallWatch, run_until_first_ends, wait_for_disconnect
from demo.api.dialects import sse
from demo.room.feed import Audience, Entry
from demo.room.phone import Phone, Progress
from demo.room.room import Room
from demo.room.round import Round

# An event, since a page is not told of comments: one that has heard nothing for long opens its stream anew.
PING: Final = b"event: ping\ndata: {}\n\n"


class EventStream(Response, ABC):
    """What follows event `last_seen`; the state first where that is None or no longer kept."""

    def __init__(self, room: Room, last_seen: int | None, presence: AbstractContextManager[None]) -> None:
        super().__init__()
        self._room, self._feed, self._position, self._presence = room, room.feed, last_seen, presence

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        watch = StallWatch(send)
        with self._presence:
            await run_until_first_ends(wait_for_disconnect(receive), watch.wait(), self._deliver(watch.send))

    @property
    @abstractmethod
    def _audience(self) -> Audience:
        """The one that its reader belongs to now."""

    @abstractmethod
    def _write_state(self) -> Mapping[str, Any]:
        """The state, for this reader."""

    @abstractmethod
    def _choose(self, entry: Entry) -> bytes:
        """An entry, as this reader is told it; empty where it is not."""

    async def _deliver(self, send: Send) -> None:
        headers = Headers({"Content-Type": sse.CONTENT_TYPE, **sse.HEADERS}).raw
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        feed, beats = self._feed, self._feed.beats
        while True:
            if (body := self._catch_up()) or beats != feed.beats:
                beats = feed.beats
                await send({"type": "http.response.body", "body": body or PING, "more_body": True})
            if self._position == feed.last:
                if feed.is_ended:
                    break
                await feed.wait(self._audience)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _catch_up(self) -> bytes:
        """All that this reader has not been sent yet."""
        feed, position = self._feed, self._position
        self._position = feed.last
        if position is None or not feed.has_after(position):
            return sse.frame_named("state", self._write_state(), feed.last)
        return b"".join(map(self._choose, feed.read(position)))


class TeacherStream(EventStream):
    """The projector's: everything."""

    def __init__(self, room: Room, last_seen: int | None, url: str) -> None:
        super().__init__(room, last_seen, room.attach_teacher())
        self._url = url

    @property
    def _audience(self) -> Audience:
        return "teacher"

    def _write_state(self) -> Mapping[str, Any]:
        return write_teacher_state(self._room, self._url)

    def _choose(self, entry: Entry) -> bytes:
        return entry.frames.get("teacher", b"")


class PhoneStream(EventStream):
    """A phone's: what its arm is told."""

    def __init__(self, room: Room, last_seen: int | None, phone: Phone) -> None:
        super().__init__(room, last_seen, room.attach(phone))
        self._phone = phone

    @property
    def _audience(self) -> Audience:
        return self._phone.arm

    def _write_state(self) -> Mapping[str, Any]:
        state = write_phone_state(self._room, self._phone)
        self._phone.received = Progress(state["tokens"], len(state["text"]))
        return state

    def _choose(self, entry: Entry) -> bytes:
        phone, round = self._phone, self._room.round
        if phone.number in entry.without:
            return b""
        frame = entry.frames.get(entry.arms.get(phone.number)) or entry.frames.get(phone.secret, b"")
        if frame and entry.reached and round is not None and entry.arms is round.arms:
            phone.received = entry.reached
        return frame


def write_teacher_state(room: Room, url: str) -> dict[str, Any]:
    """What the projector shows."""
    round = room.round
    return {
        "code": room.code,
        "url": url,
        "language": room.language,
        "expires_in": room.expires_in,
        **room.write_presence(),
        **_write_run(room, round),
        "requests": room.requests,
        "results": room.results,
    }


def _write_run(room: Room, round: Round | None) -> Mapping[str, Any]:
    if round is None:
        return {"round": None, "text": "", "tokens": 0, "seconds": None, "ttft": None, "finish": None}
    outcome = round.outcome
    return {
        "round": round.write(),
        "text": room.text,
        "tokens": outcome.tokens,
        "seconds": None if outcome.finish is None else outcome.seconds,
        "ttft": outcome.ttft,
        "finish": outcome.finish,
        "positions": room.write_positions(),
        **room.count_answers(),
        "stops": round.write_savings() if round.stops else None,
    }


def write_phone_state(room: Room, phone: Phone) -> dict[str, Any]:
    """What a phone shows that joins, or comes back after it was away for long."""
    return {
        "code": room.code,
        "language": room.language,
        "number": phone.number,
        "animal": phone.animal,
        "colour": phone.colour,
        "arm": phone.arm,
        **_write_own_round(room, room.round, phone),
    }


def _write_own_round(room: Room, round: Round | None, phone: Phone) -> Mapping[str, Any]:
    if round is None:
        return {
            **{"round": None, "text": "", "tokens": 0, "ended": False, "stopped": False},
            **{"asked": None, "answered": False, "results": None},
        }
    is_over, text = round.outcome.finish is not None, find_text(room, round, phone)
    return {
        "round": round.write_for(phone.arm),
        "text": text,
        "tokens": count_tokens(round, phone) if text else 0,
        "ended": is_over,
        "stopped": phone.stopped is not None,
        "asked": round.find_asked(phone.number),
        "answered": round.has_answered(phone.number),
        "results": room.results[-1] if round.phase == "ended" else None,
    }


def find_text(room: Room, round: Round, phone: Phone) -> str:
    """What a phone has of the answer by now, in its arm."""
    if phone.arm == "whole" and round.outcome.finish is None:
        return ""
    return "" if phone.arm is None else room.text[: phone.stopped]


def count_tokens(round: Round, phone: Phone) -> int:
    stop = round.stops.get(phone.number)
    return round.outcome.tokens if stop is None else stop.tokens
