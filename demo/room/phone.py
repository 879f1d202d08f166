"""A phone in a room: its number, an animal and a colour instead of a name, and how much it has received."""

import itertools
import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, TypeAlias

Arm: TypeAlias = Literal["streamed", "whole"]
ARMS: Final[tuple[Arm, Arm]] = ("streamed", "whole")
# Texts translate both: their names are keys. Colours that can be told apart beside their names.
ANIMALS: Final = (
    *("badger", "bear", "beaver", "cat", "crane", "deer", "dolphin", "duck", "eagle", "elephant", "fox", "frog"),
    *("giraffe", "hedgehog", "horse", "koala", "lion", "lynx", "mouse", "otter", "owl", "panda", "penguin", "rabbit"),
    *("seal", "squirrel", "swan", "tiger", "turtle", "whale", "wolf", "zebra"),
)
COLOURS: Final = ("red", "orange", "yellow", "green", "teal", "blue", "purple", "pink", "brown", "grey")


class Progress(NamedTuple):
    """How far an answer has come, or a phone in it."""

    tokens: int = 0
    characters: int = 0


NOTHING: Final = Progress()


def make_secret() -> str:
    """A phone's id, or the key of a teacher."""
    return secrets.token_urlsafe(18)


@dataclass(slots=True, eq=False)
class Phone:
    """One phone. `connections` are its open event streams; `arm` is that of the present round."""

    number: int
    animal: str
    colour: str
    network: str  # it joined from
    secret: str = field(default_factory=make_secret)
    connections: int = 0
    arm: Arm | None = None
    received: Progress = NOTHING  # of the present round: what has been written to its connection
    stopped: int | None = None  # the characters that it had of the present round's text when it stopped that

    def describe(self) -> dict[str, str | int | bool | None]:
        """As the projector shows it, without its secret."""
        return {
            "number": self.number,
            "animal": self.animal,
            "colour": self.colour,
            "present": self.connections > 0,
            "arm": self.arm,
            "stopped": self.stopped is not None,
        }

    def begin_round(self) -> None:
        self.arm, self.received, self.stopped = None, NOTHING, None


def shuffle_names() -> Sequence[tuple[str, str]]:
    """Every animal in every colour, at random: neighbours in the room have little in common."""
    names = list(itertools.product(ANIMALS, COLOURS))
    random.SystemRandom().shuffle(names)
    return names
