"""Each error is one sentence with its remedy, also inside one of transformers' own."""

import httpx2
import pytest
import torch
from huggingface_hub.errors import (
    GatedRepoError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from demo.engines.local.loading.load_errors import explain

ANSWER = httpx2.Response(404, request=httpx2.Request("GET", "https://hub"))


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (GatedRepoError("gated", response=ANSWER), "accept its terms on the hub"),
        (RepositoryNotFoundError("none", response=ANSWER), "check --model-id"),
        (RevisionNotFoundError("none", response=ANSWER), "check --revision"),
        (LocalEntryNotFoundError("none"), "check the connection"),
        (OfflineModeIsEnabled("offline"), "check the connection"),
        (OSError("We couldn't connect to 'https://hub'"), "check the connection"),
        (MemoryError(), "--dtype bfloat16"),
        (torch.OutOfMemoryError("CUDA out of memory."), "--dtype bfloat16"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "--dtype bfloat16"),
        (KeyError(), "give another model"),
        (ValueError("first\nsecond\n" * 100), "give another model"),
    ],
)
def test_what_can_go_wrong_is_one_sentence_with_the_remedy(error: Exception, remedy: str) -> None:
    for link in (error, wrap(error)):
        said = explain("org/name", link)
        assert said.startswith("org/name ")
        assert remedy in said
        assert len(said.splitlines()) == 1
        assert len(said) < 400


def wrap(error: Exception) -> Exception:
    """The error as transformers hands it on: as the cause of one of its own."""
    outer = OSError("can't load the model")
    outer.__cause__ = error
    return outer
