"""Runs the rounds of a room: starts their runs, follows them, and stops them. Knows the engine by its protocol."""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any

from demo.api.dialects.errors import Refused
from demo.api.openapi.room_replies import RoundState
from demo.engine import Engine
from demo.room.bodies import RoundRequest
from demo.room.broadcast import Broadcast
from demo.room.crowd import MAX_SECONDS, Crowd
from demo.room.phone import Phone
from demo.room.room import ClosedWhy, Room
from demo.room.staging import Staged, stage_round
from demo.run import Run
from demo.trace import Trace

logger = logging.getLogger(__name__)


class Runner:
    """Of one room. A round has one run for all phones, but where every phone asks for itself."""

    def __init__(self, room: Room, engine: Engine, recordings: Sequence[Trace]) -> None:
        self.room = room
        self.crowd: Crowd | None = None
        self._engine, self._recordings = engine, recordings
        self._staged: Staged | None = None
        self._broadcast: Broadcast | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def is_running(self) -> bool:
        return self._task is not None and not self._task.done()

    def begin(self, asked: RoundRequest, client: str) -> RoundState:
        """A new round. Raises Refused (409) while there is another, and what `Engine.submit` raises."""
        self.room.require_idle()
        staged = self._staged = stage_round(self._engine, self._recordings, asked, client)
        run = Run(staged.engine, staged.request) if asked.kind in ("race", "stop") else None
        round = self.room.begin_round(staged.plan)
        if run is not None:
            self._follow(run)
        elif asked.kind == "crowd":
            self.crowd = Crowd(self.room, staged)
            self._start(self._wait_for_crowd(self.crowd))
        return round.write()

    def advance(self) -> RoundState:
        """On to the next phase; a run that is under way is ended. Raises Refused (409), and as `begin`."""
        round = self.room.require_round()
        if round.phase == "predicting":
            self._begin_run()
        elif round.phase == "running":
            self._end_run()
        elif round.phase == "guessing":
            self.room.finish_round()
        else:
            raise Refused("conflict", "The round has ended: begin another.")
        return round.write()

    def stop(self, phone: Phone, number: int) -> None:
        """A phone stops its own stream; when all that are there have, the run is cancelled. Raises Refused (409)."""
        seconds = self._broadcast.measure() if self._broadcast is not None else 0.0
        if self.room.stop_phone(phone, number, seconds) and self._broadcast is not None:
            self._broadcast.run.cancel()

    def require_crowd(self, number: int) -> Crowd:
        """Raises Refused (409) where phones do not ask for themselves now."""
        self.room.require_round(number)
        if self.crowd is None:
            raise Refused("conflict", "This is not asked now: wait for the next round.")
        return self.crowd

    def close(self, why: ClosedWhy) -> None:
        self.room.close(why)
        if self._task is not None:
            self._task.cancel()
        if self.crowd is not None:
            self.crowd.cancel()

    def _begin_run(self) -> None:
        assert self._staged is not None, "a round has been staged"
        run = Run(self._staged.engine, self._staged.request)
        self.room.begin_run()
        self._follow(run)

    def _end_run(self) -> None:
        if self.crowd is not None:
            self.crowd.ended.set()
        elif self._broadcast is not None:
            self._broadcast.run.cancel()

    def _follow(self, run: Run) -> None:
        self._broadcast = Broadcast(self.room, run)
        self._start(self._broadcast.follow())

    async def _wait_for_crowd(self, crowd: Crowd) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(MAX_SECONDS):
                await crowd.ended.wait()
        self.crowd = None
        crowd.cancel()
        self.room.end_run()

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._task = asyncio.ensure_future(coroutine)
        self._task.add_done_callback(_log_failure)


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("A round of a room failed.", exc_info=error)
