"""From token ids to text that only grows: whole characters, and no stop string. Knows no model and no tensor."""

from collections.abc import Callable, Sequence

INCOMPLETE = "\N{REPLACEMENT CHARACTER}"

Decode = Callable[[Sequence[int]], str]


class Detokenizer:
    """Decodes one sequence step by step: the pieces, joined, are what `decode` gives for all of it.

    Only the tokens since the last whole character are decoded again, after a few of `context` (the end of
    the prompt) that tell a tokenizer whether a leading space belongs to the text.
    """

    _CONTEXT = 4

    def __init__(self, decode: Decode, context: Sequence[int] = ()) -> None:
        self._decode = decode
        self._window = list(context[-self._CONTEXT :])
        self._known = len(self._window)  # tokens of the window whose text has been given in full
        self._prefix = decode(self._window)
        self._given = len(self._prefix)

    def feed(self, token: int) -> str:
        """The text that becomes readable with `token`; empty inside a character."""
        self._window.append(token)
        text = self._decode(self._window)
        # Bytes of an unfinished character decode to replacement characters at the very end: one, or one a byte.
        readable = len(text.rstrip(INCOMPLETE))
        piece = text[self._given : readable]
        if readable == len(text):
            self._slide()
        else:
            self._given = max(self._given, readable)
        return piece

    def flush(self) -> str:
        """What is left at the end: replacement characters, where a character was cut off."""
        return self._decode(self._window)[self._given :]

    def _slide(self) -> None:
        self._window = self._window[self._known :]
        self._known = len(self._window)
        self._given = len(self._decode(self._window))


class StopStrings:
    """Passes text through until one of `stops` appears, and never shows any of it."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._held = ""

    def feed(self, text: str) -> tuple[str, bool]:
        """The text that can't be part of a stop string, and whether one has been completed."""
        self._held += text
        found = [at for stop in self._stops if (at := self._held.find(stop)) >= 0]
        safe = min(found) if found else len(self._held) - self._possible_start()
        visible, self._held = self._held[:safe], "" if found else self._held[safe:]
        return visible, bool(found)

    def flush(self) -> str:
        """What was held back in case a stop string had begun."""
        held, self._held = self._held, ""
        return held

    def _possible_start(self) -> int:
        longest = max((len(stop) - 1 for stop in self._stops), default=0)
        for size in range(min(longest, len(self._held)), 0, -1):
            if any(stop.startswith(self._held[-size:]) for stop in self._stops):
                return size
        return 0
