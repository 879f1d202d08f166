"""Which model to load, and where its files are: as set, else embedded in a package, else on the hub."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from demo.embedded import EMBEDDED_ID
from demo.errors import ModelError
from demo.settings import Settings

HUB_ID_ON_CPU = "HuggingFaceTB/SmolLM2-135M-Instruct"
HUB_ID_ON_GPU = "HuggingFaceTB/SmolLM2-1.7B-Instruct"


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A model's public name and where its files are: a hub id, a folder or a .gguf file in `place`.

    Once a hub's model is on this machine, `place` is its folder, and `commit` the commit of it.
    """

    model_id: str
    kind: Literal["embedded", "hub", "folder", "gguf"]
    place: str
    reason: str
    commit: str | None = None


def choose_source(settings: Settings, device: str, embedded: Path | None) -> ModelSource:
    """The model to load: as set, else the `embedded` file, else one from the hub for `device`.

    Raises ModelError where the setting is a path and there is no such file or folder.
    """
    if settings.model_id is not None:
        return _find_source(settings.model_id)
    if embedded is not None:
        return ModelSource(EMBEDDED_ID, "embedded", str(embedded), "embedded")
    model_id = HUB_ID_ON_CPU if device == "cpu" else HUB_ID_ON_GPU
    return ModelSource(model_id, "hub", model_id, f"from the hub, sized for {device}: no model is embedded")


def _find_source(model_id: str) -> ModelSource:
    # os.path, unlike Path, returns False for a name that is too long and for a folder without permission.
    path = Path(os.path.expanduser(model_id))
    if os.path.isdir(path):
        return ModelSource(path.resolve().name, "folder", str(path), "as set: a folder")
    if os.path.isfile(path):
        if path.suffix != ".gguf":
            raise ModelError(f"--model-id is the file {path}: give a .gguf file, a folder or a hub id.")
        return ModelSource(path.stem, "gguf", str(path), "as set: a GGUF file")
    if path.suffix == ".gguf" or model_id.startswith((".", "~", os.sep)) or model_id.count("/") > 1:
        raise ModelError(f"--model-id is {model_id!r}: no such file or folder. Check the path, or give a hub id.")
    return ModelSource(model_id, "hub", model_id, "as set: from the hub")
