"""Fault injection: an Engine that plays a script, of a stream that pauses or of one that breaks off."""

import time
from collections.abc import Iterator, Sequence
from typing import Final, Literal, TypeAlias

from demo.engine import Broken, Log, Piece, Status, Ticket
from demo.engines.playback import PlaybackEngine
from demo.errors import EngineFailed, NotReady
from demo.events import Done, Event, Failed, Started, Token
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


class SimulatedFaults(PlaybackEngine):
    """Plays the script of the fault that the prompt names."""

    def __init__(self) -> None:
        super().__init__(LIMIT, f"{LIMIT} simulated faults are being streamed already: try again in a few seconds.")

    @property
    def status(self) -> Status:
        return Broken(NO_MODEL)

    def tokenize(self, prompt: Prompt, options: str = "{}") -> tuple[str, tuple[Piece, ...]]:
        raise NO_MODEL

    def submit_all(self, requests: Sequence[Request], logs: Sequence[Log]) -> Sequence[Ticket]:
        faults: list[Fault] = ["break" if request.prompt == "break" else "pause" for request in requests]
        return self.play_all((schedule(fault, time.perf_counter()) for fault in faults), logs)


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
