"""The beginning of a GGUF file: its metadata and where its tensors are. Reads no tensor.

Follows ggml's specification of the format, versions 2 and 3. transformers has a reader too, but takes a second to
import.
"""

import mmap
import struct
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Final

from demo.engines.local.runners.cpu_llama.weights.quantization import BLOCKS, NAMES

VERSIONS: Final = (2, 3)
STRING, ARRAY = 8, 9
# By the specification's numbers of types: of integers, floats and truth values, in struct's letters.
NUMBERS: Final = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
LENGTH: Final = struct.Struct("<Q")
ALIGNMENT: Final = 32  # unless the metadata say another


@dataclass(frozen=True, slots=True)
class Stored:
    """Where a tensor lies and in which form; `kind` is GGML's number of it, `shape` has the rows first."""

    shape: tuple[int, ...]
    kind: int
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says before its weights; `start` is the first byte of those."""

    metadata: dict[str, Any]
    tensors: dict[str, Stored]
    start: int


def read_header(path: Path) -> Header:
    """Raises ValueError or struct.error where the file is none that can be read."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return _Reader(data).read_header()


class _Reader:
    """Goes through the bytes from the first one on."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._at = 0

    def read_header(self) -> Header:
        if self._data[:4] != b"GGUF":
            raise ValueError("it does not begin as a GGUF file")
        self._at = 4
        version, tensors, metadata = self._take("IQQ")
        if version not in VERSIONS:
            raise ValueError(f"it is GGUF version {version}, and {VERSIONS} are read here")
        said = dict(self._read_entry() for _ in range(metadata))
        stored = dict(self._read_tensor() for _ in range(tensors))
        alignment = said.get("general.alignment") or ALIGNMENT
        return Header(said, stored, -(-self._at // alignment) * alignment)

    def _read_entry(self) -> tuple[str, Any]:
        name = self._read_string()
        (kind,) = self._take("I")
        return name, self._read_value(kind)

    def _read_value(self, kind: int) -> Any:
        if kind in NUMBERS:
            return self._take(NUMBERS[kind])[0]
        if kind == STRING:
            return self._read_string()
        if kind != ARRAY:
            raise ValueError(f"its metadata hold a value of type {kind}, which is not read here")
        kind, count = self._take("IQ")
        if kind in NUMBERS:
            return list(self._take(f"{count}{NUMBERS[kind]}"))
        if kind == STRING:
            return self._read_strings(count)
        return [self._read_value(kind) for _ in range(count)]

    def _read_string(self) -> str:
        return self._read_strings(1)[0]

    def _read_strings(self, count: int) -> list[str]:
        # A vocabulary has a hundred thousand: hence no call for each.
        data, at, unpack, strings = self._data, self._at, LENGTH.unpack_from, []
        for _ in range(count):
            start = at + 8
            at = start + unpack(data, at)[0]
            strings.append(str(data[start:at], "utf-8"))
        self._at = at
        return strings

    def _read_tensor(self) -> tuple[str, Stored]:
        name = self._read_string()
        (dimensions,) = self._take("I")
        shape = self._take(f"{dimensions}Q")[::-1]  # columns come first in the file
        kind, offset = self._take("IQ")
        return name, Stored(shape, kind, offset, _count_bytes(kind, prod(shape)))

    def _take(self, letters: str) -> tuple[Any, ...]:
        form = f"<{letters}"
        values = struct.unpack_from(form, self._data, self._at)
        self._at += struct.calcsize(form)
        return values


def _count_bytes(kind: int, values: int) -> int:
    if kind not in BLOCKS:
        raise ValueError(
            f"it holds tensors of ggml type {kind}, which is not read here: {', '.join(NAMES.values())} are"
        )
    together, size = BLOCKS[kind]
    return values // together * size
