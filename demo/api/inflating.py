"""Compressed bodies, inflated piece by piece: no more than one piece is ever in memory, whatever it was made from."""

import zlib
from collections.abc import Iterator
from typing import Final

PIECE_BYTES: Final = 65_536
GZIP: Final = 16 + zlib.MAX_WBITS
RAW: Final = -zlib.MAX_WBITS
CODINGS: Final = ("gzip", "x-gzip", "deflate")


class Inflating:
    """The content of a body in `coding`, one of CODINGS. Raises zlib.error where it is none."""

    def __init__(self, coding: str) -> None:
        self._is_gzip = coding != "deflate"
        self._beginning = b""
        self._inflate = zlib.decompressobj(GZIP) if self._is_gzip else None

    @property
    def is_whole(self) -> bool:
        """Whether the content has ended where the body has."""
        return self._inflate is not None and self._inflate.eof

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The content of the next `data`, in pieces of at most PIECE_BYTES."""
        if self._inflate is None:
            self._beginning += data
            if len(self._beginning) < 2:
                return
            self._inflate, data = zlib.decompressobj(choose_window(self._beginning)), self._beginning
        while data:
            if self._inflate.eof:
                if not self._is_gzip:
                    raise zlib.error("there are bytes after its end")
                self._inflate = zlib.decompressobj(GZIP)  # a file of gzip may have several members (RFC 1952, 2.2)
            yield self._inflate.decompress(data, PIECE_BYTES)
            data = self._inflate.unconsumed_tail or self._inflate.unused_data


def choose_window(beginning: bytes) -> int:
    """`deflate` is zlib's format (RFC 9110, 8.4.1.2); some clients send the raw one, which begins otherwise."""
    is_zlib = beginning[0] & 0x0F == zlib.DEFLATED and int.from_bytes(beginning[:2], "big") % 31 == 0
    return zlib.MAX_WBITS if is_zlib else RAW
