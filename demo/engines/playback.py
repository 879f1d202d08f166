"""Playback: threads that write events into logs at the times that they are stamped with, and an engine of them."""

import logging
import threading
import time
from collections.abc import Iterable, Sequence
from typing import Final

from demo.engine import Engine, Load, Log, Ticket, require_fit
from demo.errors import DemoError, EngineFailed, Overloaded, describe_closing, describe_failure, describe_shutdown
from demo.events import Done, Event, Failed, Token

logger = logging.getLogger(__name__)

MAX_PLAYBACKS: Final = 256
_slots = threading.BoundedSemaphore(MAX_PLAYBACKS)


class Playback(Ticket):
    """A Ticket. Plays `schedule`: groups of events, each written together at the time of its first.

    The log always gets one final event: Failed where the schedule raises or has none. Raises Overloaded where
    `MAX_PLAYBACKS` are being played.
    """

    def __init__(self, schedule: Iterable[Sequence[Event]], log: Log) -> None:
        self._schedule = schedule
        self._log = log
        self._halted = threading.Event()
        self._error: DemoError | None = None
        self._written = 0
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="playback", daemon=True)
        if not _slots.acquire(blocking=False):
            raise Overloaded("Too many runs are being played back: try again in a moment.")
        try:
            self._thread.start()
        except RuntimeError as error:  # the system has no thread left
            _slots.release()
            raise Overloaded("No more runs can be played back at once: try again in a moment.") from error

    def cancel(self) -> None:
        """Stop: the final event is written at once. No effect after the end."""
        self._halted.set()

    def fail(self, error: DemoError) -> None:
        """Stop, with a failure as the final event."""
        self._error = error
        self.cancel()

    @property
    def playing(self) -> bool:
        """Whether the final event is not written yet."""
        return self._thread.is_alive()

    def join(self) -> None:
        """Wait for the final event."""
        self._thread.join()

    def _run(self) -> None:
        try:
            self._play()
            if not self._ended:
                self._write(self._end_early())
        except Exception as error:
            logger.exception("A playback failed.")
            if not self._ended:
                self._write(Failed(time.perf_counter(), describe_failure(error)))
        finally:
            _slots.release()

    def _play(self) -> None:
        for group in self._schedule:
            if self._ended or self._halted.wait(max(group[0].time - time.perf_counter(), 0.0)):
                return
            self._write(*group)

    def _write(self, *events: Event) -> None:
        self._ended = isinstance(events[-1], Done | Failed)
        self._written += sum(isinstance(event, Token) for event in events)
        self._log(*events)

    def _end_early(self) -> Done | Failed:
        now = time.perf_counter()
        if self._error is not None:
            return Failed(now, self._error)
        if self._halted.is_set():
            return Done(now, "cancelled", self._written)
        return Failed(now, EngineFailed("The recorded run has no end: record it again."))


class PlaybackEngine(Engine):
    """An engine that plays schedules, at most `limit` at once; one more is refused with the sentence `full`."""

    def __init__(self, limit: int, full: str) -> None:
        self._limit = limit
        self._full = full
        self._playing: set[Playback] = set()
        self._lock = threading.Lock()
        self._closed = False

    @property
    def load(self) -> Load:
        with self._lock:
            return Load(self._count_playing(), waiting=0, limit=self._limit, stalled=0.0)

    def admit(self) -> None:
        with self._lock:
            self._check_limit()

    def play_all(self, schedules: Iterable[Iterable[Sequence[Event]]], logs: Sequence[Log]) -> Sequence[Playback]:
        """Play each of `schedules` into its own of `logs`: all, or none where an error is raised."""
        playbacks: list[Playback] = []
        with self._lock:
            self._check_limit(len(logs))
            try:
                for schedule, log in zip(schedules, logs, strict=True):
                    playbacks.append(Playback(schedule, log))
            except BaseException:
                for playback in playbacks:
                    playback.cancel()
                raise
            self._playing.update(playbacks)
        return playbacks

    def close(self) -> None:
        with self._lock:
            self._closed = True
            playing = tuple(self._playing)
        for playback in playing:
            playback.fail(describe_shutdown())
        for playback in playing:
            playback.join()

    def _check_limit(self, places: int = 1) -> None:
        if self._closed:
            raise describe_closing()
        require_fit(places, self._limit)
        if self._count_playing() + places > self._limit:
            raise Overloaded(self._full)

    def _count_playing(self) -> int:
        self._playing = {playback for playback in self._playing if playback.playing}
        return len(self._playing)
