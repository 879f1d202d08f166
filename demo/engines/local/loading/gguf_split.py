"""GGUF models that are split into several files of one folder: `NAME-00001-of-00003.gguf` and so on."""

import re
from pathlib import Path
from typing import Final

from gguf import GGUFValueType, GGUFWriter, Keys

from demo.engines.local.loading.gguf import GgufHeader, Reader, read_field, read_header
from demo.errors import ModelError

PART: Final = re.compile(r"-\d{5}-of-(\d{5})\.gguf$")
NUMBER: Final = Keys.Split.LLM_KV_SPLIT_NO
COUNT: Final = Keys.Split.LLM_KV_SPLIT_COUNT
TENSORS: Final = Keys.Split.LLM_KV_SPLIT_TENSORS_COUNT


def read_model(path: Path) -> GgufHeader:
    """The header of a whole model, given its file or any of its parts.

    Raises ModelError where a part is missing, OSError or ValueError where a file can't be read.
    """
    header = read_header(path)
    if header.metadata.get(COUNT, 1) == 1:
        return header
    parts = list_parts(path)
    headers = [_read_part(part) for part in parts]
    for number, (part, each) in enumerate(zip(parts, headers, strict=True)):
        if (each.metadata.get(NUMBER), each.metadata.get(COUNT)) != (number, len(parts)):
            raise ModelError(f"{part} is not part {number + 1} of {len(parts)}, as its name says: download it again.")
    tensors = {name: tensor for each in headers for name, tensor in each.tensors.items()}
    if len(tensors) != (total := headers[0].metadata.get(TENSORS, len(tensors))):
        raise ModelError(f"The parts of {path} hold {len(tensors)} of {total} tensors: download all of them again.")
    return GgufHeader(headers[0].metadata, tensors)


def _read_part(path: Path) -> GgufHeader:
    try:
        return read_header(path)
    except ValueError as error:
        raise ModelError(f"{path} is a part of the model and can't be read: {error}. Download it again.") from error


def list_parts(path: Path) -> list[Path]:
    """All files of the model that `path` is a part of. Raises ModelError with those that are missing."""
    if not (found := PART.search(path.name)):
        raise ModelError(
            f"{path} is one part of a split model, and the names of the others cannot be derived from its name: give "
            "all parts their published names, which end in -00001-of-00003.gguf and so on."
        )
    count = int(found[1])
    name = path.name[: found.start()]
    parts = [path.with_name(f"{name}-{number:05}-of-{count:05}.gguf") for number in range(1, count + 1)]
    if missing := [part.name for part in parts if not part.is_file()]:
        raise ModelError(
            f"{path} is one of {count} parts of a model, of which {', '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} not beside it: download all parts into one folder."
        )
    return parts


def join_parts(parts: list[Path], target: Path) -> None:
    """Write the metadata and the tensors of all parts into one file."""
    readers = [Reader(part) for part in parts]
    fields = {name: field for name, field in readers[0].fields.items() if not name.startswith(("GGUF.", "split."))}
    writer = GGUFWriter(target, fields.pop(Keys.General.ARCHITECTURE).contents())
    writer.data_alignment = int(readers[0].alignment)
    for name, field in fields.items():
        kind, *of = field.types
        writer.add_key_value(name, read_field(field), kind, of[0] if kind == GGUFValueType.ARRAY else None)
    tensors = [tensor for reader in readers for tensor in reader.tensors]
    for tensor in tensors:
        data = tensor.data
        writer.add_tensor_info(tensor.name, data.shape, data.dtype, data.nbytes, tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for tensor in tensors:
        writer.write_tensor_data(tensor.data)
    writer.close()
