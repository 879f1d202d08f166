"""Every family's logits are those of transformers in float32, from a folder and from a GGUF file."""

from pathlib import Path

import pytest
import torch

from tests.engines.local.following import follow, make_ids, open_runner
from tests.engines.local.runners.cpu_llama.architectures.tiny_families import (
    CONFIGS,
    MISTRAL,
    make_family,
    write_family,
)
from tests.engines.local.runners.cpu_llama.weights.exact import NEW, assert_alike, follow_exactly
from tests.engines.local.tiny_files import save_folder

LENGTHS = [20, 200]  # within a window, and beyond it and a page


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(
    ("family", "form"),
    [(family, form) for family in CONFIGS for form in ("folder", "gguf") if (family, form) != (MISTRAL, "gguf")],
)
def test_logits_are_those_of_transformers(family: str, form: str, length: int, tmp_path: Path) -> None:
    network = make_family(family)
    save = save_folder if form == "folder" else write_family
    place = save(tmp_path / "model.gguf", network)
    prompt = make_ids(length)
    assert_alike(follow(open_runner(place), prompt, NEW), follow_exactly(network, prompt))


@pytest.mark.parametrize("family", CONFIGS)
def test_logits_do_not_depend_on_how_a_prompt_is_split(family: str, tmp_path: Path) -> None:
    place = save_folder(tmp_path / "folder", make_family(family))
    prompt = make_ids(150)
    whole = follow(open_runner(place), prompt, NEW)
    assert torch.equal(whole, follow(open_runner(place), prompt, NEW, sizes=(1, 7, 64)))
