"""An HTTP/1.1 reply out of the reads of a socket, each with its time. Pure; knows no socket and no clock."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from demo.bench.sample import Arrivals, Unmeasured

Reads = Iterable[tuple[float, bytes]]

_END_OF_HEAD = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Head:
    """A reply's status and its fields, their names in lower case."""

    status: int
    fields: dict[str, str]

    @property
    def is_chunked(self) -> bool:
        return "chunked" in self.fields.get("transfer-encoding", "")


def read_reply(sent: float, end: float, reads: Reads) -> tuple[int, Arrivals]:
    """The status and the body with the times of its parts. Raises Unmeasured where this is no HTTP reply."""
    collected, times = b"", iter(reads)
    headers = end
    for headers, read in times:  # noqa: B007 - wanted after the loop
        collected += read
        if _END_OF_HEAD in collected:
            break
    raw, found, rest = collected.partition(_END_OF_HEAD)
    if not found:
        raise Unmeasured("The connection was closed before a reply had come.")
    head = read_head(raw)
    body = _chain((headers, rest), times)
    parts = list(unchunk(body) if head.is_chunked else body)
    return head.status, Arrivals(sent, headers, parts, end, head.fields)


def read_head(raw: bytes) -> Head:
    """Status line and fields."""
    first, *lines = raw.decode("latin-1").split("\r\n")
    match first.split(" ", 2):
        case [version, status, *_] if version.startswith("HTTP/") and status.isdecimal():
            pairs = (line.partition(":") for line in lines)
            return Head(int(status), {name.strip().lower(): value.strip() for name, _, value in pairs})
    raise Unmeasured(f"This is no HTTP server: its reply begins with {first[:60]!r}.")


def unchunk(reads: Reads) -> Iterator[tuple[float, bytes]]:
    """The reads of a chunked body (RFC 9112, section 7.1) without what frames it, however they were cut.

    Raises Unmeasured where it ends before its last chunk.
    """
    rest, wanted, ended = b"", 0, False  # wanted: bytes of the chunk that are still to come
    for time, read in reads:
        rest += read
        pieces = []
        while rest and not ended:
            if not wanted:
                size, found, after = rest.removeprefix(b"\r\n").partition(b"\r\n")
                if not found:
                    break
                wanted, rest = _read_size(size), after
                ended = wanted == 0
            piece, rest = rest[:wanted], rest[wanted:]
            pieces.append(piece)
            wanted -= len(piece)
        yield time, b"".join(pieces)
    if not ended:
        raise Unmeasured("The server broke off in the middle of its reply.")


def _read_size(line: bytes) -> int:
    try:
        return int(line.split(b";")[0], 16)
    except ValueError:
        raise Unmeasured(f"The server's reply is not chunked as it says: {line[:40]!r}.") from None


def _chain(first: tuple[float, bytes], rest: Reads) -> Iterator[tuple[float, bytes]]:
    yield first
    yield from rest
