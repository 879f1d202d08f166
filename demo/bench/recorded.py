"""A response read from its recorded bytes: http.client parses it afterwards, each piece keeps its time. No I/O."""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from http.client import HTTPException, HTTPResponse, IncompleteRead
from io import BytesIO
from itertools import accumulate
from typing import Any

from demo.bench.sample import MeasurementError, TimedResponse

Reads = Sequence[tuple[float, bytes]]
_LAST_CHUNK = b"\r\n0\r\n\r\n"  # no event of JSON ends like that


class _Recording(BytesIO):
    """The bytes of a response, as the socket that http.client reads from. It stays open, to tell where it stands."""

    def makefile(self, *_: Any) -> "_Recording":
        return self

    def close(self) -> None:
        """Stay open."""


def parse_response(due: float, lag: float, reads: Reads, is_cut: bool = False) -> TimedResponse | MeasurementError:
    """The response to a request that was due at `due` and sent `lag` later; or why there is none.

    `is_cut`: there may be more to come, and the body is what there is.
    """
    try:
        return _parse(due, lag, reads, is_cut)
    except (HTTPException, ValueError) as error:
        return MeasurementError(f"The server broke the connection ({type(error).__name__}: {error}).")


def has_ended(reads: Reads) -> bool:
    """Whether the response is whole. Some servers ignore `Connection: close`, and their end would be waited for."""
    if b"".join(piece for _, piece in reads[-len(_LAST_CHUNK) :]).endswith(_LAST_CHUNK):
        return True
    pieces, head = (piece for _, piece in reads), b""
    for piece in pieces:  # the head is in the first, as a rule
        head += piece
        if b"\r\n\r\n" in head:
            break
    head, blank, body = head.partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length:\s*(\d+)", head, re.IGNORECASE)
    return bool(blank) and length is not None and len(body) + sum(map(len, pieces)) >= int(length[1])


def _parse(due: float, lag: float, reads: Reads, is_cut: bool) -> TimedResponse:
    raw = b"".join(piece for _, piece in reads)
    if b"\r\n\r\n" not in raw and b"\n\n" not in raw:  # http.client would take the first line alone
        raise HTTPException("its head is not complete")
    recording = _Recording(raw)
    ends = list(accumulate(len(piece) for _, piece in reads))

    def tell_time() -> float:
        """When the byte before the current one came."""
        return reads[bisect_left(ends, recording.tell())][0]

    response = HTTPResponse(recording)  # type: ignore[arg-type] # of a socket, it uses makefile() alone
    response.begin()
    fields = {name.lower(): value for name, value in response.getheaders()}
    headers = tell_time()
    body = [(tell_time(), piece) for piece in _read_pieces(response, recording, ends, is_cut)]
    return TimedResponse(response.status, due, headers, body, tell_time(), fields, lag)


def _read_pieces(response: HTTPResponse, recording: _Recording, ends: Sequence[int], is_cut: bool) -> Iterator[bytes]:
    """The body in pieces, none of which spans two reads by more than the size of a chunk's head."""
    try:
        while piece := response.read1(max(1, _find_end(ends, recording.tell()) - recording.tell())):
            yield piece
        if response.length:
            raise IncompleteRead(b"", response.length)
    except IncompleteRead:
        if not is_cut:
            raise


def _find_end(ends: Sequence[int], position: int) -> int:
    return next((end for end in ends[bisect_left(ends, position) :] if end > position), position)
