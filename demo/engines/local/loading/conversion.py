"""Converts a GGUF file with transformers, once, into a folder of a cache that is keyed by the file's content.

Importing this module does not import transformers: a folder in the cache is checked without it.
`python -m demo.engines.local.loading.conversion FILE` prints the folder.
"""

import hashlib
import json
import shutil
import sys
import tempfile
import zlib
from collections.abc import Callable
from functools import reduce
from glob import escape
from pathlib import Path

from filelock import FileLock

from demo.engines.local.loading.cache_dir import cache_dir
from demo.engines.local.loading.gguf import GgufHeader, join_parts, read_model
from demo.errors import ModelError

FORMAT = "2"  # part of the key: increment it when the folder's content or the set of refused files changes
MANIFEST = "manifest.json"
_BLOCK = 1 << 22


def convert_once(gguf: Path, report: Callable[[str], None]) -> Path:
    """The folder converted from `gguf`; it is made now if it is missing or damaged.

    Raises ModelError where the file is incomplete or can't be converted, or the folder can't be written.
    """
    parts = sorted({tensor.path for tensor in read_gguf(gguf).tensors.values()})
    folder = cache_dir() / f"{gguf.stem}-{_read_digest(parts)[:16]}-{FORMAT}"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.parent / f"{folder.name}.lock"):
            if not is_intact(folder):
                report("converting the model, once")
                _convert(gguf, parts, folder)
    except OSError as error:
        raise ModelError(
            f"The converted model can't be kept in {folder.parent} ({error}): set XDG_CACHE_HOME to a folder with room."
        ) from error
    return folder


def is_intact(folder: Path) -> bool:
    """Whether every file of a converted folder has the bytes that were written."""
    try:
        return bool(json.loads((folder / MANIFEST).read_text()) == _list_checksums(folder))
    except (OSError, ValueError):
        return False


def _convert(gguf: Path, parts: list[Path], folder: Path) -> None:
    for stale in folder.parent.glob(f"{escape(folder.name.rpartition('-')[0])}-*"):  # of earlier formats too
        shutil.rmtree(stale, ignore_errors=True)
    partial = Path(tempfile.mkdtemp(prefix=f"{folder.name}.partial-", dir=folder.parent))
    try:
        _write(gguf, parts, partial)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def read_gguf(gguf: Path) -> GgufHeader:
    """The header of a file, with the tensors of all its parts. Raises ModelError where it can't be read."""
    try:
        return read_model(gguf)
    except OSError as error:
        raise ModelError(f"{gguf} can't be read ({error.strerror}): check the file, or give another.") from error
    except ValueError as error:
        raise ModelError(f"{gguf} can't be loaded: {error}. Download it again, or give another.") from error


def _write(gguf: Path, parts: list[Path], folder: Path) -> None:
    from demo.engines.local.runners.transformers.gguf import load_gguf

    joined = folder / "joined.gguf"
    if len(parts) > 1:
        join_parts(parts, joined)
    network, tokenizer = load_gguf(joined if len(parts) > 1 else gguf, str(gguf))
    joined.unlink(missing_ok=True)
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / MANIFEST).write_text(json.dumps(_list_checksums(folder), indent=1))


def _list_checksums(folder: Path) -> dict[str, int]:
    return {path.name: _checksum(path) for path in sorted(folder.iterdir()) if path.name != MANIFEST}


def _read_digest(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            hashlib.file_digest(file, lambda: digest)
    return digest.hexdigest()


def _checksum(path: Path) -> int:
    with path.open("rb") as file:
        return reduce(lambda checksum, block: zlib.crc32(block, checksum), iter(lambda: file.read(_BLOCK), b""), 0)


if __name__ == "__main__":
    try:
        print(convert_once(Path(sys.argv[1]), lambda step: print(step, file=sys.stderr)))
    except ModelError as error:
        sys.exit(str(error))
