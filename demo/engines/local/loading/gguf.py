"""The header of a GGUF file, read by the `gguf` package: metadata, and the place of each tensor. Reads no tensor."""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from gguf import GGMLQuantizationType, GGUFEndian, GGUFReader, GGUFValueType
from numpy.typing import DTypeLike, NDArray

LENGTH: Final = struct.Struct("<Q")
ARRAY_HEAD: Final = 12  # bytes before an array's values: their type and their number


@dataclass(frozen=True, slots=True)
class GgufTensor:
    """Where a tensor is stored, `offset` bytes from the beginning of the file; `shape` has the rows first."""

    path: Path
    shape: tuple[int, ...]
    quantization: GGMLQuantizationType
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """A file's metadata and tensors, by name."""

    metadata: dict[str, Any]
    tensors: dict[str, GgufTensor]


def read_header(path: Path) -> GgufHeader:
    """Raises OSError or ValueError where the file is not a complete, little-endian GGUF file."""
    try:
        reader = Reader(path)
    except (KeyError, IndexError, OverflowError, MemoryError, RuntimeWarning) as error:  # from damaged files
        raise ValueError(f"its header is damaged: {error.args[0] if error.args else error}") from error
    if reader.endianess != GGUFEndian.LITTLE:
        raise ValueError("it is a big-endian file")
    tensors = {
        each.name: GgufTensor(path, tuple(each.shape.tolist()[::-1]), each.tensor_type, each.data_offset, each.n_bytes)
        for each in reader.tensors
    }
    fields = {name: field for name, field in reader.fields.items() if not name.startswith("GGUF.")}
    return GgufHeader({name: field.contents() for name, field in fields.items()}, tensors)


class Reader(GGUFReader):
    """gguf's reader, except that it reads an array at once and raises ValueError where a file ends too early.

    gguf's own takes 2.6 seconds for a vocabulary of 49,152 tokens, this one 0.1.
    """

    def _get(
        self, offset: int, dtype: DTypeLike, count: int = 1, override_order: Literal["I", "S", "<"] | None = None
    ) -> NDArray[Any]:
        if int(offset) + np.dtype(dtype).itemsize * int(count) > len(self.data):
            raise ValueError("it ends before its weights do")
        return super()._get(offset, dtype, count, override_order)

    def _get_field_parts(
        self, orig_offs: int, raw_type: int
    ) -> tuple[int, list[NDArray[Any]], list[int], list[GGUFValueType]]:
        if raw_type != GGUFValueType.ARRAY:
            return super()._get_field_parts(orig_offs, raw_type)
        kind = GGUFValueType(self._get(orig_offs, np.uint32)[0])
        count = int(self._get(orig_offs + 4, np.uint64)[0])
        if kind == GGUFValueType.ARRAY:
            return super()._get_field_parts(orig_offs, raw_type)
        start = orig_offs + ARRAY_HEAD
        if kind == GGUFValueType.STRING:
            strings, size = self._get_strings(start, count)
        else:
            strings = [self._get(start, self.gguf_scalar_to_np[kind], count)]
            size = strings[0].nbytes
        return ARRAY_HEAD + size, strings, list(range(len(strings))), [GGUFValueType.ARRAY, kind]

    def _get_strings(self, start: int, count: int) -> tuple[list[NDArray[np.uint8]], int]:
        """The bytes of each string, and the size of all in the file."""
        data, at, strings = np.asarray(self.data), start, []  # a plain array is sliced faster than a memmap
        lengths = data.data
        for _ in range(count):
            if at + LENGTH.size > len(data):
                raise ValueError("it ends before its weights do")
            begin = at + LENGTH.size
            at = begin + LENGTH.unpack_from(lengths, at)[0]
            strings.append(data[begin:at])
        return strings, at - start
