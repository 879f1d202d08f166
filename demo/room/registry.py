"""The rooms that are open, by their codes: bounded in number, for each address too, and in life.

Used from one event loop.
"""

import asyncio
import itertools
import re
import secrets
from collections.abc import Sequence
from typing import Final

from demo.api.dialects.errors import Refused
from demo.api.guess_limit import GuessLimit
from demo.client_key import find_address_key
from demo.engine import Engine
from demo.engines.draining import Drain
from demo.room.room import ClosedWhy, Room
from demo.room.runner import Runner
from demo.trace import Trace

MAX_ROOMS: Final = 40
MAX_OF_ADDRESS: Final = 8  # a school's teachers may share one
TICK_SECONDS: Final = 0.25  # how often a teacher is told of what changes all the time
BEAT_TICKS: Final = 60  # so many ticks between two signs of life
ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # no 0 O, 1 I L: they look alike
CODE_LENGTH: Final = 6  # 30 bits: at ten guesses a minute, one in half a million is right within three hours
CODE: Final = re.compile(f"[{ALPHABET}]{{{CODE_LENGTH}}}")


class TooManyRooms(Refused):
    """There is no place for another room. `retry_after` is in seconds."""

    def __init__(self, owner: str, rooms: Sequence[Room]) -> None:
        sentence = f"{owner} {len(rooms)} rooms open, which is the limit: close one, or try again later."
        super().__init__("overloaded", sentence)
        self.retry_after = max(min(room.expires_in for room in rooms), 1.0)


class Registry:
    """Rooms by their codes, each with its runner. A task looks after them while there are any."""

    def __init__(self, engine: Engine, recordings: Sequence[Trace], drain: Drain) -> None:
        self.drain = drain
        self._engine, self._recordings = engine, recordings
        self._runners: dict[str, Runner] = {}
        self._guesses = GuessLimit(trusts_known=False, what="codes or keys of rooms")
        self._task: asyncio.Task[None] | None = None

    def open(self, language: str, client: str) -> Runner:
        """A new room. Raises Refused (429), or NotReady while the server drains."""
        self.drain.require_open()
        rooms = [runner.room for runner in self._runners.values()]
        address = find_address_key(client)
        own = [room for room in rooms if find_address_key(room.client) == address]
        if len(own) >= MAX_OF_ADDRESS:
            raise TooManyRooms("Your address has", own)
        if len(rooms) >= MAX_ROOMS:
            raise TooManyRooms("This server has", rooms)
        room = Room(self._choose_code(), language, client)
        runner = self._runners[room.code] = Runner(room, self._engine, self._recordings)
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._look_after())
        return runner

    def find(self, text: str, network: str) -> Runner:
        """The room of a code that somebody typed, from `network`. Raises Refused (404), and TooManyGuesses (429).

        Where a phone of that room has joined from the same network, the code is none that is being guessed.
        """
        code = read_code(text)
        runner = self._runners.get(code or "")
        is_known = runner is not None and runner.room.knows(network)
        # What can't be a code is a slip of the hand, and no guess.
        if code is not None and not is_known:
            self._guesses.judge(network, runner is not None)
        if runner is None:
            raise Refused("not_found", "There is no room with this code: it was mistyped, or the room is closed.")
        return runner

    def find_as_teacher(self, text: str, key: str, network: str) -> Runner:
        """As `find`, for a request with the room's key. Raises Refused (403) as well."""
        runner = self.find(text, network)
        # In a time that does not depend on how much of it is right.
        if not secrets.compare_digest(key.encode(), runner.room.key.encode()):
            self._guesses.judge(network, is_right=False)
            raise Refused("forbidden", "Only the teacher of this room may do this: send its key as X-Room-Key.")
        return runner

    def close(self, runner: Runner, why: ClosedWhy) -> None:
        if self._runners.pop(runner.room.code, None) is not None:
            runner.close(why)

    def close_all(self, why: ClosedWhy) -> None:
        for runner in tuple(self._runners.values()):
            self.close(runner, why)

    def tick(self, is_beat: bool = False) -> None:
        """Tell what has changed, and close the rooms whose time is up."""
        for runner in tuple(self._runners.values()):
            if runner.room.is_expired:
                self.close(runner, "age")
            elif self.drain.has_begun and not runner.is_running:
                self.close(runner, "server")
            else:
                runner.room.report_progress()
                if is_beat:
                    runner.room.feed.beat()

    def _choose_code(self) -> str:
        while (code := "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))) in self._runners:
            pass
        return code

    async def _look_after(self) -> None:
        for number in itertools.count(1):
            await asyncio.sleep(TICK_SECONDS)
            self.tick(is_beat=number % BEAT_TICKS == 0)
            if not self._runners:
                return


def read_code(text: str) -> str | None:
    """The code as it was made, from what somebody typed: in any case, with spaces; None where it can't be one."""
    code = re.sub(r"[\s-]", "", text).upper()
    return code if CODE.fullmatch(code) else None
