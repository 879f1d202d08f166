"""Why a model can't be loaded, in one sentence with the remedy."""

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from demo.engines.local.loading.source import ModelSource
from demo.errors import ModelError, is_out_of_memory, list_causes


@contextmanager
def explained(source: ModelSource) -> Iterator[None]:
    """Raises every error of its block as a ModelError."""
    try:
        yield
    except Exception as error:
        raise ModelError(explain(source.model_id, error)) from error


def explain(name: str, error: Exception) -> str:
    """One sentence: why the model `name` can't be loaded, with the remedy."""
    if _caused_by(error, GatedRepoError):
        return f"{name} is gated: accept its terms on the hub and log in with `hf auth login`."
    if _caused_by(error, RevisionNotFoundError):
        return f"{name} has no such revision: check --revision."
    if _caused_by(error, RepositoryNotFoundError, HFValidationError):
        return f"{name} is not a model on the hub, or is private: check --model-id, or log in with `hf auth login`."
    offline = _caused_by(error, OfflineModeIsEnabled, LocalEntryNotFoundError, ConnectionError, httpx2.TransportError)
    if offline or any("couldn't connect" in str(link) for link in list_causes(error)):
        return (
            f"{name} is not in the local cache and the hub can't be reached: check the connection (and "
            "HF_HUB_OFFLINE), or give a folder or a .gguf file as --model-id."
        )
    if is_out_of_memory(error):
        return f"{name} does not fit into memory: give a smaller model, or --dtype bfloat16."
    line = textwrap.shorten(str(error), 240, placeholder=" …") or type(error).__name__
    return f"{name} can't be loaded: {line.rstrip('.')}. Check --model-id, or give another model."


def _caused_by(error: BaseException, *kinds: type[BaseException]) -> bool:
    return any(isinstance(link, kinds) for link in list_causes(error))
