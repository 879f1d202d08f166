"""Models that transformers cannot load as they should be are refused in one sentence with the remedy."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, Qwen2VLConfig, RwkvConfig, T5Config

from demo.engines.local.loading import free_memory
from demo.engines.local.loading.source import ModelSource
from demo.engines.local.runners.transformers.loading import load_transformers
from demo.errors import ModelError
from tests.engines.local.tiny import VOCABULARY, build_network
from tests.engines.local.tiny_files import change_json, damage_file, load, save_folder

Refuse: TypeAlias = Callable[[Path | str], str]
WEIGHTS = "model.safetensors"


@pytest.fixture
def refuse(capfd: pytest.CaptureFixture[str]) -> Refuse:
    """The error of a model that can't be loaded: one line; nothing is printed."""

    def read_error(model_id: Path | str) -> str:
        with pytest.raises(ModelError) as refusal:
            load(model_id)
        assert capfd.readouterr() == ("", "")
        said = str(refusal.value)
        assert len(said.splitlines()) == 1
        assert said.endswith(".")
        return said

    return read_error


def test_a_model_that_needs_images_is_refused_as_what_it_is(tmp_path: Path, refuse: Refuse) -> None:
    Qwen2VLConfig().save_pretrained(tmp_path)
    assert "is a qwen2_vl model, which needs images or sound beside its text" in refuse(tmp_path)


def test_a_model_whose_state_is_in_no_cache_is_refused(tmp_path: Path, refuse: Refuse) -> None:
    config = RwkvConfig(vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2, context_length=64)
    save_folder(tmp_path, build_network(config))
    assert refuse(tmp_path).startswith("A rwkv model keeps what it has read in a form that is not known here")


def test_weights_that_do_not_fit_are_refused_before_loading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_folder(tmp_path)
    monkeypatch.setattr(free_memory, "find_free", lambda device: 1000)
    with pytest.raises(ModelError, match=r"takes .* GB in float32, and 1e-06 GB are free on cpu"):
        load_transformers(ModelSource("tiny", "folder", str(tmp_path), ""), str(tmp_path), "cpu", torch.float32)


@pytest.mark.parametrize("config", [BertConfig(), T5Config()], ids=lambda config: str(config.model_type))
def test_a_model_that_does_not_write_token_by_token_is_refused(
    config: BertConfig | T5Config, tmp_path: Path, refuse: Refuse
) -> None:
    config.save_pretrained(tmp_path)
    said = refuse(tmp_path)
    assert f"is a {config.model_type} model" in said
    assert "give a causal language model" in said


def test_a_model_without_a_chat_template_is_refused(tmp_path: Path, refuse: Refuse) -> None:
    said = refuse(save_folder(tmp_path / "plain", template=None))
    assert said.startswith("plain has no chat template: give one with --chat-template, ")


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        (WEIGHTS, lambda content: content[:5000]),
        (WEIGHTS, lambda content: b"these are no weights"),
        (WEIGHTS, None),
        ("config.json", lambda content: b"{"),
        ("config.json", lambda content: content.replace(b'"llama"', b'"no-such-architecture"')),
        ("config.json", None),
        ("tokenizer.json", None),
    ],
)
def test_a_damaged_folder_is_one_sentence_with_the_remedy(
    file: str, damage: Callable[[bytes], bytes] | None, tmp_path: Path, refuse: Refuse
) -> None:
    folder = save_folder(tmp_path / "damaged")
    damage_file(folder / file, damage)
    said = refuse(folder)
    assert said.startswith("damaged can't be loaded: ")
    assert "give another model" in said


def test_a_missing_tensor_is_not_filled_with_random_numbers(tmp_path: Path, refuse: Refuse) -> None:
    folder = save_folder(tmp_path / "partial")
    tensors = load_file(folder / WEIGHTS)
    del tensors["model.layers.1.mlp.down_proj.weight"]
    save_file(tensors, folder / WEIGHTS, {"format": "pt"})
    assert "lacks 1 of the weights" in refuse(folder)


def test_tensors_of_another_shape_are_not_filled_with_random_numbers(tmp_path: Path, refuse: Refuse) -> None:
    folder = save_folder(tmp_path / "other")
    change_json(folder / "config.json", hidden_size=64)
    assert "of the weights that its configuration asks for" in refuse(folder)


@pytest.mark.parametrize("model_id", ["nobody/no-such-model", "no-such-model"])
def test_an_unknown_hub_id_without_a_hub_is_one_sentence_with_the_remedy(model_id: str, refuse: Refuse) -> None:
    said = refuse(model_id)
    assert said.startswith(f"{model_id} is not in the local cache and the hub can't be reached: ")
    assert "HF_HUB_OFFLINE" in said


def test_an_invalid_hub_id_is_one_sentence(refuse: Refuse) -> None:
    assert "is not a model on the hub" in refuse("no such model")
