"""Links into the page: the fragment of an address, which holds a prompt with its controls or a recorded run."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, urlencode

from demo.errors import BadRequest
from demo.trace import Trace, read_fragment
from demo.ui.view.options import DEFAULTS, RACE_PACES, REAL_SPEED, SLIDERS, ControlValue, read_options

TRACE: Final = "trace"
# Read by the page's scripts: where to scroll, the presenter view, and the results of a room.
BROWSER_FIELDS: Final = {"station", "present", "room"}
MAX_FIELDS: Final = 20
MAX_PROMPT: Final = 20_000  # characters
MAX_FRAGMENT: Final = 1_000_000  # characters, which hold more than a recorded run of 8,192 tokens
MAX_ESCAPES: Final = 5 * MAX_PROMPT  # a character is at most four bytes, and each of them may be escaped
TOO_MUCH: Final = "This link holds too much: copy it again."


@dataclass(frozen=True, slots=True)
class PromptLink:
    """A prompt and the values of all controls, in their order."""

    prompt: str
    values: Sequence[ControlValue]


def write_link(link: PromptLink) -> str:
    """The fragment; it holds only the controls that differ from their defaults."""
    pairs = zip(DEFAULTS.items(), link.values, strict=True)
    changed = {name: value for (name, default), value in pairs if value not in (default, None)}
    return urlencode({"prompt": link.prompt, **changed})


def read_link(fragment: str) -> PromptLink | Trace | None:
    """What a fragment holds; None where it is empty or is for the page's scripts alone. Raises BadRequest."""
    if len(fragment) > MAX_FRAGMENT or fragment.count("%") > MAX_ESCAPES:
        raise BadRequest(TOO_MUCH)
    try:
        parsed = parse_qs(fragment, keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise BadRequest(TOO_MUCH) from None
    fields = {name: each[-1] for name, each in parsed.items()}
    if TRACE in fields:
        return read_fragment(fields[TRACE])
    given = {name: text for name, text in fields.items() if name not in BROWSER_FIELDS and (text or name == "seed")}
    prompt = given.pop("prompt", "")
    if not prompt and not given:
        return None
    if unknown := sorted(set(given) - set(DEFAULTS)):
        raise BadRequest(f"This link sets {', '.join(unknown)}, which this page does not have: copy the link again.")
    if len(prompt) > MAX_PROMPT:
        raise BadRequest(f"This link's prompt is longer than {MAX_PROMPT} characters: paste it into the box instead.")
    values = [_read_value(name, given[name]) if name in given else default for name, default in DEFAULTS.items()]
    read_options(values)
    return PromptLink(prompt, values)


def _read_value(name: str, text: str) -> ControlValue:
    if name == "seed":
        return text
    number = _read_number(text)
    if name == "pace":
        allowed, valid = f"one of {REAL_SPEED}, {', '.join(map(str, RACE_PACES))}", number in (REAL_SPEED, *RACE_PACES)
    else:
        low, high = SLIDERS[name].low, SLIDERS[name].high
        allowed, valid = f"from {low} to {high}", low <= number <= high
    if not valid:
        raise BadRequest(f"This link sets {name} to {text!r}: it must be {allowed}. Copy the link again.")
    return int(text) if text.isdecimal() else number


def _read_number(text: str) -> float:
    """The number, or NaN, which is in no range."""
    try:
        return float(text)
    except ValueError:
        return math.nan
