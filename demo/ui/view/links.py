"""Links into the page: what stands after an address's `#`, a prompt with its dials or a recorded run. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, urlencode

from demo.errors import BadRequest
from demo.trace import Trace, read_fragment
from demo.ui.view.options import DEFAULTS, RANGES, Position, read_options
from demo.ui.view.speed import REAL, SLOWED

TRACE: Final = "trace"
FOR_THE_BROWSER: Final = {"station", "present"}  # where to scroll to, and how it looks
MAX_FIELDS: Final = 20
MAX_PROMPT: Final = 20_000  # characters


@dataclass(frozen=True, slots=True)
class Shared:
    """A prompt and the positions of all dials, in their order."""

    prompt: str
    positions: Sequence[Position]


def write_link(shared: Shared) -> str:
    """The end of an address; of the dials only those that were turned."""
    turned = {
        name: position
        for (name, default), position in zip(DEFAULTS.items(), shared.positions, strict=True)
        if position not in (default, None)
    }
    return urlencode({"prompt": shared.prompt, **turned})


def read_link(fragment: str) -> Shared | Trace | None:
    """What the end of an address asks for; None where it asks for nothing. Raises BadRequest: one sentence."""
    try:
        values = {name: each[-1] for name, each in parse_qs(fragment, max_num_fields=MAX_FIELDS).items()}
    except ValueError:
        raise BadRequest("This link holds too much: copy it again.") from None
    if TRACE in values:
        return read_fragment(values[TRACE])
    wanted = {name: value for name, value in values.items() if name not in FOR_THE_BROWSER}
    prompt = wanted.pop("prompt", "")
    if not prompt and not wanted:
        return None
    if unknown := sorted(set(wanted) - set(DEFAULTS)):
        raise BadRequest(f"This link sets {', '.join(unknown)}, which is no dial here: copy the link again.")
    if len(prompt) > MAX_PROMPT:
        raise BadRequest(f"This link's prompt is longer than {MAX_PROMPT} characters: paste it into the box instead.")
    positions = [_read_position(name, wanted.get(name), default) for name, default in DEFAULTS.items()]
    read_options(positions)
    return Shared(prompt, positions)


def _read_position(name: str, text: str | None, default: Position) -> Position:
    if text is None or isinstance(default, str):
        return default if text is None else text
    number = _read_number(text)
    if name == "pace":
        allowed, fits = f"one of {REAL}, {', '.join(map(str, SLOWED))}", number in (REAL, *SLOWED)
    else:
        low, high, _ = RANGES[name]
        allowed, fits = f"from {low} to {high}", low <= number <= high
    if not fits:
        raise BadRequest(f"This link sets {name} to {text!r}: it must be {allowed}. Copy the link again.")
    return int(text) if text.isdecimal() else number


def _read_number(text: str) -> float:
    """The number that `text` spells; one that lies in no range where it spells none."""
    try:
        return float(text)
    except ValueError:
        return math.nan
