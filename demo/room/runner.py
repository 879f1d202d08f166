"""Runs the rounds of a room: starts their runs, tells the phones of them, and stops them.

Knows the engine by its protocol.
"""

import asyncio
import logging
import time
from collections.abc import Coroutine, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import Any, Final

from demo.api.dialects.errors import Refused
from demo.api.openapi.room_replies import RoundState
from demo.engine import Engine, ModelCard, Ready
from demo.engines.replay import Replay, choose_recording
from demo.engines.sandbox import Sandbox
from demo.errors import NotReady
from demo.events import Done, Event, Failed, Token
from demo.examples import read_examples
from demo.request import Message, Request, Sampling, find_question
from demo.room.bodies import RoundRequest
from demo.room.crowd import MAX_SECONDS, Crowd
from demo.room.phone import Phone
from demo.room.room import ClosedWhy, Room
from demo.room.round import Plan
from demo.run import Run
from demo.trace import Trace

logger = logging.getLogger(__name__)

SAMPLING: Final = Sampling(repetition_penalty=1.1)  # without it small models fall into loops
UPDATES_PER_SECOND: Final = 20  # of the text; the first token and the end never wait
WRITES_PER_SECOND: Final = 1500  # of all phones together: two hundred get seven updates a second


@dataclass(frozen=True, slots=True)
class Staged:
    """An engine, and the request that a round sends to it: once, or once for each phone."""

    engine: Engine
    request: Request
    plan: Plan


def stage_round(engine: Engine, recordings: Sequence[Trace], asked: RoundRequest, client: str) -> Staged:
    """What a round runs: the model with its prompt, or a recorded run where no model answers.

    Raises NotReady where neither a model nor a recorded run is there, or BadRequest.
    """
    status, prompt = engine.status, asked.prompt or read_examples()[0]
    card = status.card if isinstance(status, Ready) and status.card.source != "recorded" else None
    trace = choose_recording(recordings, prompt) if card is None else None
    if trace is not None:
        request = replace(
            trace.request, max_new_tokens=asked.max_new_tokens, pace=asked.tokens_per_second, client=client
        )
        engine = Replay((trace,), asked.limit or engine.load.limit)
    elif card is None:
        raise NotReady("the model does not answer yet, and there is no recorded run: try again in a moment.")
    else:
        request = make_request(prompt, asked, client, card)
        engine = Sandbox(engine, asked.limit) if asked.kind == "crowd" and asked.limit else engine
    plan = Plan(
        asked.kind,
        find_question(request.prompt),
        trace is not None,
        request.max_new_tokens or asked.max_new_tokens,
        asked.tokens_per_second,
        asked.arms,
        engine.load.limit if asked.kind == "crowd" else None,
    )
    return Staged(engine, request, plan)


def make_request(prompt: str, asked: RoundRequest, client: str, card: ModelCard) -> Request:
    """The prompt as a user's message, where the model has a chat template, as the page sends it."""
    return Request(
        prompt if not card.has_chat_template else (Message("user", prompt),),
        min(asked.max_new_tokens, card.max_new_tokens or asked.max_new_tokens),
        SAMPLING,
        pace=asked.tokens_per_second,
        client=client,
        ends_loops=True,
        cache_prompt=asked.kind != "crowd",  # else the second to ask would be answered sooner than the first
    )


class Broadcast:
    """One run, read once and told to all phones of a room until its last event. It goes on, whichever phones leave.

    Coalesced, so that telling does not slow the engine: each update costs a write for each phone of the streamed arm,
    on cores that the model may be using.
    """

    def __init__(self, room: Room, run: Run) -> None:
        self.run = run
        self._room = room
        self._outcome = room.require_round().outcome
        self._reader = run.attach()

    async def follow(self) -> None:
        """Tell the room what comes, to the end."""
        with closing(self._reader):
            async for batch in self._reader:
                self._add(batch)
                if any(isinstance(event, Token) for event in batch):
                    interval = max(1 / UPDATES_PER_SECOND, len(self._room.present) / WRITES_PER_SECOND)
                    await self._reader.coalesce(interval)

    def measure(self) -> float:
        """Seconds since the run was asked for."""
        return time.perf_counter() - self.run.submitted

    def _add(self, batch: Sequence[Event]) -> None:
        outcome, end = self._outcome, batch[-1]
        tokens = [event for event in batch if isinstance(event, Token)]
        text = "".join(token.text for token in tokens)
        if text and outcome.ttft is None:
            outcome.ttft = self._since_start(next(token for token in tokens if token.text).time)
        if tokens:
            outcome.tokens, outcome.seconds = tokens[-1].index, self._since_start(tokens[-1].time)
        is_last = isinstance(end, Done | Failed)
        if tokens or is_last:
            self._room.add_text(text, outcome.tokens, outcome.seconds or 0.0, is_last)
        if isinstance(end, Done | Failed):
            self._end(end)

    def _end(self, end: Done | Failed) -> None:
        outcome = self._outcome
        outcome.seconds = self._since_start(end.time)
        outcome.finish = "failed" if isinstance(end, Failed) else end.finish_reason
        outcome.error = str(end.error) if isinstance(end, Failed) else None
        self._room.end_run()

    def _since_start(self, moment: float) -> float:
        return round(moment - self.run.submitted, 6)


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
            self.crowd = Crowd(self.room, staged.engine, staged.request)
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
