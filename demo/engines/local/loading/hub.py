"""The folder of a model of the hub: the local snapshot where it is complete, else a download. Loads no weights."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from huggingface_hub import HfApi, constants, snapshot_download, try_to_load_from_cache
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils.tqdm import disable_progress_bars, enable_progress_bars

from demo.choice import Choice
from demo.engines.local.loading.load_errors import explained
from demo.engines.local.loading.source import ModelSource
from demo.engines.local.loading.weight_files import PICKLED, SAFETENSORS, list_weight_files
from demo.errors import ModelError

logger = logging.getLogger(__name__)

ANSWER_SECONDS: Final = 10.0  # for the hub to say what a repository holds
TEXTS: Final = (".json", ".jinja", ".model", ".txt", ".tiktoken")  # configs and tokenizers
KINDS: Final = (SAFETENSORS, PICKLED)  # of files with weights: the first that a repository has is loaded


def fetch(source: ModelSource, revision: str | None) -> ModelSource:
    """A hub's model, its files on this machine in a folder that is named by its commit. Raises ModelError.

    A complete local snapshot is used without asking the hub, also where a branch has moved since.
    """
    folder = _find_local(source.place, revision)
    reason = "in the local cache; the hub was not asked whether there is a newer one"
    if folder is None:
        folder, reason = _download(source, revision), "downloaded from the hub"
    logger.info("%s", Choice("commit", folder.name, reason))
    return replace(source, place=str(folder), commit=folder.name)


def _find_local(model_id: str, revision: str | None) -> Path | None:
    try:
        config = try_to_load_from_cache(model_id, "config.json", revision=revision, cache_dir=constants.HF_HUB_CACHE)
    except HFValidationError:  # the hub's own error says what is wrong with the name
        return None
    folder = Path(config).parent if isinstance(config, str) else None
    return folder if folder is not None and is_complete(folder) else None


def is_complete(folder: Path) -> bool:
    """Whether config, tokenizer and all weights are there."""
    has = {path.name for path in folder.iterdir()}
    weights = next((names for kind in KINDS if (names := _name_weights(folder, kind))), None)
    return {"config.json", "tokenizer_config.json"} <= has and weights is not None and weights <= has


def _name_weights(folder: Path, kind: tuple[str, str]) -> set[str]:
    return {path.name for path in list_weight_files(folder, kind)}


def _download(source: ModelSource, revision: str | None) -> Path:
    """Configs and tokenizer first: what can't be served is refused before gigabytes are downloaded."""
    disable_progress_bars()
    with explained(source):
        described = HfApi().model_info(source.place, revision=revision, timeout=ANSWER_SECONDS)
        held = [each.rfilename for each in described.siblings or () if "/" not in each.rfilename]
        # By its name, so that the cache remembers which commit a branch had.
        folder = _fetch(source, revision, [name for name in held if name.endswith(TEXTS)])
    # Imported here, since it imports transformers, which takes seconds: what is not on the hub is refused before that.
    from demo.engines.local.runners.transformers.loading import load_tokenizer

    load_tokenizer(source, str(folder))
    weights = next((names for kind in KINDS if (names := _name_weights(folder, kind) or {kind[0]} & set(held))), None)
    if weights is None:
        raise ModelError(f"{source.model_id} holds no weights in safetensors: give another model, or a .gguf file.")
    with explained(source):
        enable_progress_bars()  # a download takes minutes
        return _fetch(source, folder.name, sorted(weights))


def _fetch(source: ModelSource, revision: str | None, names: Sequence[str]) -> Path:
    return Path(snapshot_download(source.place, revision=revision, allow_patterns=list(names)))
