"""Paced: an engine slowed down on purpose, to a rate that can be watched. Whoever shows it has to say so."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from demo.events import Done, Engine, Event, Load, Log, Piece, Prompt, Request, Status, Ticket, Token
from demo.playback import Playback
from demo.run import Reader, Run


class Paced(Engine):
    """Another engine, of whose tokens each comes at least 1 / `rate` seconds after the one before.

    The engine itself is not slowed down: it works ahead, and its tokens are held back. So an answer that is cancelled
    may have been computed further than it was told.
    """

    def __init__(self, engine: Engine, rate: float) -> None:
        self._engine = engine
        self._gap = 1 / rate

    @property
    def status(self) -> Status:
        return self._engine.status

    @property
    def load(self) -> Load:
        return self._engine.load

    def admit(self) -> None:
        self._engine.admit()

    def tokenize(self, prompt: Prompt) -> tuple[str, tuple[Piece, ...]]:
        return self._engine.tokenize(prompt)

    def submit(self, request: Request, log: Log) -> Ticket:
        reader = Run(self._engine, request).attach()
        try:
            return Playback(hold_back(reader, self._gap), log, on_cancel=reader.close)
        except BaseException:
            reader.close()
            raise

    def close(self) -> None:
        self._engine.close()


def hold_back(reader: Reader, gap: float) -> Iterator[Sequence[Event]]:
    """The events of a run, each stamped with when it may be told: tokens at least `gap` seconds apart."""
    due = 0.0
    for batch in reader:
        events = list(batch)
        while events:
            event = events.pop(0)
            due = max(event.time, due + gap if isinstance(event, Token) else due)
            group = [replace(event, time=due)]
            if isinstance(event, Token) and events and isinstance(events[0], Done):
                group.append(replace(events.pop(0), time=due))
            yield group
