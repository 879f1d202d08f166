"""How much there is to parse in a JSON text, counted while it arrives, long before it is parsed.

Parsing and validating hold up every other task of the process until they end: two megabytes can be a million values,
whose errors take 17 seconds to list.
"""

from typing import Final

MAX_VALUES: Final = 10_000
PIECE_BYTES: Final = 65_536  # of which each takes two milliseconds at most
MAX_ESCAPES: Final = 500_000  # backslashes, each of which the parser handles by itself: 13 ms


class JsonSize:
    """Counts the values and escapes of a text in UTF-8 that `feed` gets piece by piece.

    Outside of strings a value begins after a comma or a bracket, so the count is that of the values, or twice that.
    """

    def __init__(self) -> None:
        self.values = 0
        self.escapes = 0
        self._in_string = False
        self._rest = b""  # a backslash whose character has not arrived

    def feed(self, piece: bytes) -> None:
        piece = self._rest + piece
        if b"\\" in piece:
            self.escapes += piece.count(b"\\") - len(self._rest)
            piece = piece.replace(b"\\\\", b"").replace(b'\\"', b"")
        self._rest = piece[-1:] if piece.endswith(b"\\") else b""
        if self._in_string and b'"' not in piece:  # long texts, most of the time
            return
        parts = piece.split(b'"')
        outside = b"".join(parts[self._in_string :: 2])
        self._in_string ^= len(parts) % 2 == 0
        self.values += sum(map(outside.count, (b",", b"[", b"{")))

    def find_excess(self, max_values: int = MAX_VALUES) -> str | None:
        """What there is too much of, in words; None where there is not."""
        if self.values > max_values:
            return f"more than {max_values} JSON values"
        if self.escapes > MAX_ESCAPES:
            return f"more than {MAX_ESCAPES} escaped characters"
        return None


def measure_json(text: str) -> JsonSize:
    size, encoded = JsonSize(), text.encode(errors="replace")
    for at in range(0, len(encoded), PIECE_BYTES):
        size.feed(encoded[at : at + PIECE_BYTES])
    return size
