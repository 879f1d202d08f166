"""Server-sent events: bytes in, however they were cut, the payloads of their `data` fields out.

Follows https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation.
Knows no JSON, no dialect and no clock.
"""

import re

DONE = "[DONE]"  # how the OpenAI routes end; a payload like any other to the parser

_LINE_END = re.compile(rb"\r\n|\n|\r")


class EventStream:
    """One response's parser. Feed it each read; every event is returned by the read that completes it."""

    def __init__(self) -> None:
        self._rest = b""
        self._after_cr = False
        self._data: list[str] = []

    def feed(self, read: bytes) -> list[str]:
        """The payloads of the events that `read` completes, in order."""
        if not read:
            return []
        if self._after_cr:
            read = read.removeprefix(b"\n")  # a CR LF cut in two is one line end
        self._after_cr = read.endswith(b"\r")
        *lines, self._rest = _LINE_END.split(self._rest + read)
        payloads = [self._take_line(line) for line in lines]
        return [payload for payload in payloads if payload is not None]

    def _take_line(self, line: bytes) -> str | None:
        """The event's payload if this line, an empty one, ends an event that has data."""
        if not line:
            data, self._data = self._data, []
            return "\n".join(data) if data else None
        field, _, value = line.partition(b":")
        if field == b"data":
            self._data.append(value.removeprefix(b" ").decode(errors="replace"))
        return None
