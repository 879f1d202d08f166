"""Events played at the moments stamped on them."""

import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import pytest

from demo.engines import playback
from demo.engines.playback import Playback
from demo.errors import Overloaded
from demo.events import Done, Event, Failed, Token


class Tape:
    """A log that notes when it is written."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.moments: list[float] = []

    def __call__(self, *events: Event) -> None:
        self.moments.append(time.perf_counter())
        self.events += events


def token(index: int, at: float) -> Token:
    return Token(at, index, index, "a", 0.0, special=False)


def test_nothing_is_logged_before_its_time_and_the_end_comes_with_the_last_token() -> None:
    tape, now = Tape(), time.perf_counter()
    times = [now + 0.02 * number for number in range(1, 4)]
    schedule: list[Sequence[Event]] = [[token(number, at)] for number, at in enumerate(times, start=1)]
    schedule[-1] = [*schedule[-1], Done(times[-1], "length", 3)]
    Playback(schedule, tape).join()
    assert isinstance(tape.events[-1], Done)
    assert all(logged >= due for logged, due in zip(tape.moments, times, strict=True))
    assert len(tape.moments) == 3


def test_a_playback_that_is_cancelled_ends_at_once_with_what_it_has_told() -> None:
    tape, now = Tape(), time.perf_counter()
    playing = Playback([[token(1, now)], [token(2, now + 3600)]], tape)
    while not tape.events:
        pass
    playing.cancel()
    playing.cancel()
    playing.join()
    done = tape.events[-1]
    assert isinstance(done, Done)
    assert (done.finish_reason, done.generated_tokens) == ("cancelled", 1)
    assert not playing.playing


def raise_after_a_token() -> Iterator[Sequence[Event]]:
    yield [token(1, time.perf_counter())]
    raise MemoryError


FAULTS: dict[str, tuple[Callable[[], Iterable[Sequence[Event]]], str]] = {
    "raises": (raise_after_a_token, "out of memory"),
    "is due after the end of all clocks": (lambda: [[token(1, math.inf)]], "timestamp"),
    "has an empty group": (lambda: [[]], "index out of range"),
    "has no end": (lambda: [[token(1, time.perf_counter())]], "no end"),
}


@pytest.mark.parametrize(("schedule", "words"), FAULTS.values(), ids=FAULTS)
def test_whatever_a_schedule_does_its_log_gets_one_final_event(
    schedule: Callable[[], Iterable[Sequence[Event]]], words: str
) -> None:
    tape = Tape()
    Playback(schedule(), tape).join()
    ends = [event for event in tape.events if isinstance(event, Done | Failed)]
    assert len(ends) == 1
    assert ends[0] is tape.events[-1]
    assert isinstance(ends[0], Failed)
    assert words in str(ends[0].error)


def test_there_is_a_limit_to_how_many_are_played_and_every_end_gives_its_place_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(playback, "_slots", threading.BoundedSemaphore(1))
    first = Playback([[token(1, time.perf_counter() + 3600)]], Tape())
    with pytest.raises(Overloaded):
        Playback([], Tape())
    first.cancel()
    first.join()
    Playback(raise_after_a_token(), Tape()).join()
    Playback([], Tape()).join()
