"""Events played at the moments stamped on them."""

import threading
import time
from collections.abc import Iterator, Sequence

import pytest

from demo import playback
from demo.errors import Overloaded
from demo.events import Done, Event, Token
from demo.playback import Playback


class Tape:
    """A log that says when it ended."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.moments: list[float] = []
        self.ended = threading.Event()

    def __call__(self, *events: Event) -> None:
        self.moments.append(time.perf_counter())
        self.events += events
        if isinstance(events[-1], Done):
            self.ended.set()


def token(index: int, at: float) -> Token:
    return Token(at, index, index, "a", 0.0, special=False)


def test_nothing_is_told_before_its_time_and_the_end_comes_with_the_last_token() -> None:
    tape, now = Tape(), time.perf_counter()
    times = [now + 0.02 * number for number in range(1, 4)]
    schedule: list[Sequence[Event]] = [[token(number, at)] for number, at in enumerate(times, start=1)]
    schedule[-1] = [*schedule[-1], Done(times[-1], "length", 3)]
    Playback(schedule, tape)
    assert tape.ended.wait(10)
    assert all(told >= due for told, due in zip(tape.moments, times, strict=True))
    assert len(tape.moments) == 3


def test_a_playback_that_is_cancelled_ends_at_once_with_what_it_has_told() -> None:
    tape, now, cancelled = Tape(), time.perf_counter(), []
    playing = Playback([[token(1, now)], [token(2, now + 3600)]], tape, lambda: cancelled.append(1))
    while not tape.events:
        pass
    playing.cancel()
    playing.cancel()
    assert tape.ended.wait(10)
    done = tape.events[-1]
    assert isinstance(done, Done)
    assert (done.finish_reason, done.generated_tokens, cancelled) == ("cancelled", 1, [1])
    playing.join()
    assert not playing.playing


def test_there_is_a_limit_to_how_many_are_played_and_every_end_gives_its_place_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(playback, "_places", threading.BoundedSemaphore(1))
    tape = Tape()
    first = Playback([[token(1, time.perf_counter() + 3600)]], tape)
    with pytest.raises(Overloaded):
        Playback([], Tape())
    first.cancel()
    first.join()

    def broken() -> Iterator[Sequence[Event]]:
        yield from ()

    last = Playback(broken(), Tape())
    last.join()
    Playback([], Tape()).join()
