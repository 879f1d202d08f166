"""The round in which every phone asks for itself: real requests, of which the engine refuses those beyond its limit."""

import asyncio
import time
from typing import Any, Final

from demo.api.delivery.streamed import StreamedResponse
from demo.api.dialects.dialect import Dialect
from demo.api.dialects.errors import Refused, find_status
from demo.engine import Engine
from demo.errors import DemoError, Overloaded
from demo.events import Done, Token
from demo.request import Request
from demo.room.phone import Phone
from demo.room.room import Room
from demo.room.round import Requests
from demo.run import Run

MAX_SECONDS: Final = 180.0
MAX_ATTEMPTS: Final = 50  # of one phone in a round


class Crowd:
    """The requests of the present round of `room`. To the engine all of them are the teacher's."""

    def __init__(self, room: Room, engine: Engine, request: Request) -> None:
        self._room, self._engine, self._request = room, engine, request
        self._round = room.require_round()
        self._began = time.perf_counter()
        self._running: dict[int, Run] = {}
        self.ended = asyncio.Event()  # everybody who is there has been served

    def request(self, phone: Phone) -> Run:
        """Ask for `phone`. Raises Overloaded as generation does; Refused (409) while it is answered, or afterwards."""
        self._check(phone)
        own = self._round.requests.setdefault(phone.number, Requests())
        own.sent += 1
        self._record(phone, "sent" if own.sent == 1 else "retry")
        try:
            run = Run(self._engine, self._request)
        except DemoError as error:
            if isinstance(error, Overloaded):
                error.expect(self._engine.find_wait(self._request.client or ""))
            own.refused += 1
            self._record(phone, "refused", status=find_status(error), retry_after=error.retry_after)
            raise
        self._running[phone.number] = run
        return run

    def note_first_token(self, phone: Phone) -> None:
        self._round.requests[phone.number].first_token = self._record(phone, "first_token")

    def note_end(self, phone: Phone, run: Run) -> None:
        """Its stream has ended: with the answer, or before, because the phone left or the run failed."""
        self._running.pop(phone.number, None)
        is_left = not isinstance(run.end, Done) or run.end.finish_reason == "cancelled"
        seconds = self._record(phone, "ended", status=200, left=is_left)
        if not is_left:
            self._round.requests[phone.number].served = seconds
        if all(map(self._is_served, self._room.present)):
            self.ended.set()

    def cancel(self) -> None:
        """Stop what is still being answered."""
        for run in tuple(self._running.values()):
            run.cancel()

    def _check(self, phone: Phone) -> None:
        if self._round.phase != "running":
            raise Refused("conflict", "This is not asked now: wait for the next round.")
        if phone.number in self._running or self._is_served(phone):
            raise Refused("conflict", "You are being answered, or have been: one answer for each phone.")
        if self._find(phone).sent >= MAX_ATTEMPTS:
            raise Refused("conflict", f"You have asked {MAX_ATTEMPTS} times in this round: wait for the next.")

    def _find(self, phone: Phone) -> Requests:
        return self._round.requests.get(phone.number, Requests())

    def _is_served(self, phone: Phone) -> bool:
        return self._find(phone).served is not None

    def _record(self, phone: Phone, event: str, **more: Any) -> float:
        seconds = round(time.perf_counter() - self._began, 6)
        named = {"round": self._round.number, "phone": phone.number, "event": event, "seconds": seconds}
        self._room.record_request({**named, **more})
        return seconds


class CrowdStream(StreamedResponse):
    """What a phone is answered, as `/generate_stream` answers; the room is told of its first token and of its end."""

    def __init__(self, crowd: Crowd, phone: Phone, run: Run, dialect: Dialect) -> None:
        super().__init__([run], dialect)
        self._crowd, self._phone, self._run = crowd, phone, run
        self._has_text = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._crowd.note_end(self._phone, self._run)

    def _frame_token(self, token: Token, chunk: Any) -> bytes:
        if token.text and not self._has_text:
            self._has_text = True
            self._crowd.note_first_token(self._phone)
        return super()._frame_token(token, chunk)
