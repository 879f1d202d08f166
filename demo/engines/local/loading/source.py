"""Which model to load, and where its files are: as set, else embedded in a package, else on the hub."""

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from demo.embedded import EMBEDDED_ID
from demo.engines.local.chat_template import read_template
from demo.errors import ModelError
from demo.settings import Settings

GGUF = ".gguf"
MAGIC = b"GGUF"
PART = re.compile(r"-(\d{5})-of-\d{5}\.gguf$", re.IGNORECASE)  # of a split model
HUB_ID_ON_CPU = "HuggingFaceTB/SmolLM2-135M-Instruct"
HUB_ID_ON_GPU = "HuggingFaceTB/SmolLM2-1.7B-Instruct"


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A model's public name and where its files are: a hub id, a folder or a .gguf file in `place`.

    Once a hub's model is on this machine, `place` is its folder, and `commit` the commit of it. `template` replaces the
    model's own chat template; a model without one is loaded only where none `needs_template`.
    """

    model_id: str
    kind: Literal["embedded", "hub", "folder", "gguf"]
    place: str
    reason: str
    commit: str | None = None
    template: str | None = None
    needs_template: bool = True


def choose_source(settings: Settings, device: str, embedded: Path | None) -> ModelSource:
    """The model to load: as set, else the `embedded` file, else one from the hub for `device`.

    Raises ModelError where the setting is a path and there is no such file or folder, SettingError for a template that
    can't be read.
    """
    template, needs_template = read_template(settings.chat_template), settings.plain_prompts != "raw"
    return replace(_choose_place(settings, device, embedded), template=template, needs_template=needs_template)


def _choose_place(settings: Settings, device: str, embedded: Path | None) -> ModelSource:
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
        return _find_in_folder(path)
    if os.path.isfile(path):
        if not _is_gguf(path):
            raise ModelError(f"--model-id is the file {path}, which is no GGUF file: give one, a folder or a hub id.")
        return ModelSource(path.stem, "gguf", str(path), "as set: a GGUF file")
    if path.suffix.lower() == GGUF or model_id.startswith((".", "~", os.sep)) or model_id.count("/") > 1:
        raise ModelError(f"--model-id is {model_id!r}: no such file or folder. Check the path, or give a hub id.")
    return ModelSource(model_id, "hub", model_id, "as set: from the hub")


def _find_in_folder(folder: Path) -> ModelSource:
    """The model of a folder: as transformers saves one, or its only GGUF file."""
    files = sorted(path for path in folder.glob("*") if path.suffix.lower() == GGUF)
    if (folder / "config.json").exists() or not files:
        return ModelSource(folder.resolve().name, "folder", str(folder), "as set: a folder")
    first = [path for path in files if not (part := PART.search(path.name)) or part[1] == "00001"]
    if len(first) > 1:
        names = ", ".join(path.name for path in first)
        raise ModelError(f"--model-id is the folder {folder}, which holds several GGUF files ({names}): name one.")
    return ModelSource(files[0].stem, "gguf", str(files[0]), "as set: the GGUF file of a folder")


def _is_gguf(path: Path) -> bool:
    """Whether a file begins as a GGUF file does, whatever its name is: the hub's cache names files by their hash."""
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:  # its loader says why it can't be read
        return path.suffix.lower() == GGUF
