"""Fault injection: an Engine that plays a script, of a stream that pauses or of one that breaks off."""

import time
from collections.abc import Iterator, Sequence
from typing import Final, Literal, TypeAlias

from demo.engine import Broken, Engine, Load, Log, Piece, Status, Ticket
from demo.engines.playback import Playback, play_all
from demo.errors import EngineFailed, NotReady, Overloaded, describe_shutdown
from demo.events import Done, Event, Failed, Started, Token
from demo.places import require_fit
from demo.request import Prompt, Request

Fault: TypeAlias = Literal["pause", "break"]

GAP_SECONDS: Final = 0.15  # between two tokens
PAUSE_SECONDS: Final = 5.0
LIMIT: Final = 16  # requests at once
WORDS: Final[dict[str, tuple[str, ...]]] = {
    "pause": ("This", " stream", " now", " falls", " silent", ";", " here", " it", " goes", " on", "."),
    "break": ("This", " stream", " breaks", " off", " in"),
}
PAUSE_AFTER: Final = 6  # words
NO_MODEL: Final = NotReady("there is no model here, only a script.")
BREAK: Final = EngineFailed("Request failed during generation: it was broken deliberately, after a few tokens.")


class SimulatedFaults(Engine):
    """Plays the script of the fault that the prompt names."""

    def __init__(self) -> None:
        self._playbacks: list[Playback] = []

    @property
    def status(self) -> Status:
        return Broken(NO_MODEL)

    @property
    def load(self) -> Load:
        self._playbacks = [each for each in self._playbacks if each.playing]
        return Load(len(self._playbacks), waiting=0, limit=LIMIT, stalled=0.0)

    def admit(self) -> None:
        self._check_limit()

    def tokenize(self, prompt: Prompt, options: str = "{}") -> tuple[str, tuple[Piece, ...]]:
        raise NO_MODEL

    def submit_all(self, requests: Sequence[Request], logs: Sequence[Log]) -> Sequence[Ticket]:
        self._check_limit(len(requests))
        faults: list[Fault] = ["break" if request.prompt == "break" else "pause" for request in requests]
        playbacks = play_all((schedule(fault, time.perf_counter()) for fault in faults), logs)
        self._playbacks += playbacks
        return playbacks

    def close(self) -> None:
        for playback in self._playbacks:
            playback.fail(describe_shutdown())

    def _check_limit(self, places: int = 1) -> None:
        require_fit(places, LIMIT)
        if self.load.running + places > LIMIT:
            raise Overloaded(f"{LIMIT} simulated faults are being streamed already: try again in a few seconds.")


def schedule(fault: Fault, start: float) -> Iterator[Sequence[Event]]:
    """The events of the script, which begins at `start`. A scripted token is certain: its logprob is 0."""
    yield [Started(start, input_tokens=0, seed=0)]
    due, words = start, WORDS[fault]
    for index, word in enumerate(words, 1):
        due += PAUSE_SECONDS if index == PAUSE_AFTER + 1 else GAP_SECONDS
        token = Token(due, index, index, word, 0.0, special=False)
        if index < len(words):
            yield [token]
    yield [token, Failed(due, BREAK) if fault == "break" else Done(due, "length", len(words))]
