"""Deliberate faults, to be looked at: a stream that pauses, and one that breaks in its middle.

A script stands in for the model, at the Engine protocol; the bytes are made by the same delivery and dialect as ever.
"""

import asyncio
import time
from typing import Annotated, Final, Literal, TypeAlias

from fastapi import APIRouter, Path
from starlette.responses import Response

from demo.api.delivery.response import StreamedResponse
from demo.api.dialects.native import NativeDialect, Parameters
from demo.api.openapi import documents, replies
from demo.errors import EngineFailed, NotReady, Overloaded
from demo.events import (
    Broken,
    Done,
    Engine,
    Event,
    Failed,
    Load,
    Log,
    Piece,
    Prompt,
    Request,
    Started,
    Status,
    Ticket,
    Token,
)
from demo.run import Run

Kind: TypeAlias = Literal["pause", "break"]
ScriptKind = Annotated[Kind, Path(description="`pause` falls silent for a while, `break` fails.")]

BEAT_SECONDS: Final = 0.15  # between one token and the next
PAUSE_SECONDS: Final = 5.0
KEEP_ALIVE_SECONDS: Final = 1.0  # instead of fifteen, so that nobody has to wait for it
MAX_SHOWN: Final = 16
WORDS: Final[dict[str, tuple[str, ...]]] = {
    "pause": ("This", " stream", " now", " falls", " silent", ";", " here", " it", " goes", " on", "."),
    "break": ("This", " stream", " breaks", " off", " in"),
}
SILENT_AFTER: Final = 6  # words
NO_MODEL: Final = NotReady("there is no model here, only a script.")
BREAK: Final = EngineFailed("Request failed during generation: it was broken deliberately, after a few tokens.")


def build_simulated_fault_routes() -> APIRouter:
    """Both streams, by one route. Neither asks the model, nor counts in its metrics."""
    router, engine = APIRouter(tags=["faults"]), SimulatedFaults()

    @router.get("/faults/{kind}", **documents.scripted(replies.NativeEvent))
    async def provoke(kind: ScriptKind) -> Response:
        """A deliberate fault: a stream that pauses or breaks off, written by a script, not by the model."""
        run = Run(engine, Request(kind))
        return StreamedResponse([run], NativeDialect(Parameters(details=True), "none"), KEEP_ALIVE_SECONDS)

    return router


class SimulatedFaults(Engine):
    """Plays a script for every request, a few at once. Its prompt is the script's kind."""

    def __init__(self) -> None:
        self._shown: set[Play] = set()

    @property
    def status(self) -> Status:
        return Broken(NO_MODEL)

    @property
    def load(self) -> Load:
        return Load(len(self._shown), waiting=0, limit=MAX_SHOWN, stalled=0.0)

    def admit(self) -> None:
        if len(self._shown) >= MAX_SHOWN:
            raise Overloaded(f"This is being shown to {MAX_SHOWN} readers already: try again in a few seconds.")

    def tokenize(self, prompt: Prompt) -> tuple[str, tuple[Piece, ...]]:
        raise NO_MODEL

    def submit(self, request: Request, log: Log) -> Ticket:
        self.admit()
        play = Play("break" if request.prompt == "break" else "pause", log)
        self._shown.add(play)
        play.task.add_done_callback(lambda _: self._shown.discard(play))
        return play

    def close(self) -> None:
        for play in tuple(self._shown):
            play.cancel()


class Play(Ticket):
    """One script being played, on the event loop. Its tokens have the likelihood that a script gives them: certain."""

    def __init__(self, kind: Kind, log: Log) -> None:
        self._kind = kind
        self._log = log
        self._said = 0
        self._left = False
        self.task = asyncio.ensure_future(self._play())

    def cancel(self) -> None:
        if not self._left and self.task.cancel():
            self._left = True
            self._log(Done(time.perf_counter(), "cancelled", self._said))

    async def _play(self) -> None:
        self._log(Started(time.perf_counter(), input_tokens=0, seed=0))
        *words, last = WORDS[self._kind]
        for word in words:
            await asyncio.sleep(PAUSE_SECONDS if self._said == SILENT_AFTER else BEAT_SECONDS)
            self._log(self._say(word))
        await asyncio.sleep(BEAT_SECONDS)
        self._log(self._say(last), self._end())

    def _say(self, word: str) -> Token:
        self._said += 1
        return Token(time.perf_counter(), self._said, self._said, word, 0.0, special=False)

    def _end(self) -> Event:
        now = time.perf_counter()
        return Failed(now, BREAK) if self._kind == "break" else Done(now, "length", self._said)
