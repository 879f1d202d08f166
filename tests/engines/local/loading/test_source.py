"""The model is the one that is set, else the embedded one, else one of the hub."""

from pathlib import Path

import pytest

from demo.embedded import EMBEDDED_ID
from demo.engines.local.loading.source import HUB_ID_ON_CPU, HUB_ID_ON_GPU, ModelSource, choose_source
from demo.errors import ModelError
from demo.settings import Settings

EMBEDDED = Path("/somewhere/model.gguf")


@pytest.mark.parametrize("device", ["cpu", "cuda", "mps"])
def test_the_embedded_model_comes_before_the_hub(device: str) -> None:
    source = choose_source(Settings(), device, EMBEDDED)
    assert source == ModelSource(EMBEDDED_ID, "embedded", str(EMBEDDED), "embedded")


@pytest.mark.parametrize(
    ("device", "model_id"),
    [("cpu", HUB_ID_ON_CPU), ("cuda", HUB_ID_ON_GPU), ("cuda:1", HUB_ID_ON_GPU), ("mps", HUB_ID_ON_GPU)],
)
def test_without_an_embedded_model_the_hubs_is_sized_for_the_device_and_says_so(device: str, model_id: str) -> None:
    source = choose_source(Settings(), device, None)
    assert (source.model_id, source.kind, source.place) == (model_id, "hub", model_id)
    assert device in source.reason


@pytest.mark.parametrize("model_id", ["org/name", "gpt2", "org/name.v1"])
def test_a_model_that_is_asked_for_comes_before_the_embedded_one(model_id: str) -> None:
    source = choose_source(Settings(model_id=model_id), "cpu", EMBEDDED)
    assert source == ModelSource(model_id, "hub", model_id, "as set: from the hub")


def test_a_folder_that_is_asked_for_is_known_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").mkdir()
    assert choose_source(Settings(model_id=str(tmp_path / "mine")), "cpu", None).model_id == "mine"
    monkeypatch.chdir(tmp_path / "mine")
    here = choose_source(Settings(model_id="."), "cpu", None)
    assert (here.model_id, here.kind, here.place) == ("mine", "folder", ".")


@pytest.mark.parametrize(
    ("names", "asked", "kind", "place"),
    [
        (["tiny.Q4_1.gguf"], "tiny.Q4_1.gguf", "gguf", "tiny.Q4_1.gguf"),
        (["Tiny.GGUF"], "Tiny.GGUF", "gguf", "Tiny.GGUF"),
        (["0f3a9c"], "0f3a9c", "gguf", "0f3a9c"),  # by its first bytes: the hub's cache names files by their hash
        (["a.gguf"], "", "gguf", "a.gguf"),
        (["A.GGUF", "README.md"], "", "gguf", "A.GGUF"),
        (["m-00001-of-00002.gguf", "m-00002-of-00002.gguf"], "", "gguf", "m-00001-of-00002.gguf"),
        (["config.json", "q4.gguf"], "", "folder", ""),  # a saved model comes before a GGUF file in the same folder
    ],
)
def test_a_file_that_is_asked_for_or_the_only_one_of_a_folder_is_known_by_its_stem(
    names: list[str], asked: str, kind: str, place: str, tmp_path: Path
) -> None:
    for name in names:
        (tmp_path / name).write_bytes(b"GGUF")
    source = choose_source(Settings(model_id=str(tmp_path / asked)), "cpu", EMBEDDED)
    assert (source.model_id, source.kind, source.place) == ((tmp_path / place).stem, kind, str(tmp_path / place))


def test_a_folder_with_several_gguf_models_is_one_sentence_with_their_names(tmp_path: Path) -> None:
    for name in ("q4.gguf", "q8.gguf"):
        (tmp_path / name).write_bytes(b"GGUF")
    with pytest.raises(ModelError, match=r"holds several GGUF files \(q4\.gguf, q8\.gguf\): name one\."):
        choose_source(Settings(model_id=str(tmp_path)), "cpu", None)


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    assert choose_source(Settings(model_id="~/model"), "cpu", None).place == str(tmp_path / "model")


@pytest.mark.parametrize(
    "model_id",
    ["/no/such/folder", "./nothing", "~/no-such-model", "~nobody/x", "missing.gguf", "a/b/c", "/" + "long" * 3000],
)
def test_a_path_with_nothing_there_is_one_sentence_with_the_remedy(model_id: str) -> None:
    with pytest.raises(ModelError, match=r"^.*: no such file or folder\. Check the path, or give a hub id\.\Z"):
        choose_source(Settings(model_id=model_id), "cpu", None)


def test_a_file_of_another_kind_is_one_sentence_with_the_remedy(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"")
    with pytest.raises(
        ModelError, match=r"is the file .*model\.safetensors, which is no GGUF file: give one, a folder"
    ):
        choose_source(Settings(model_id=str(file)), "cpu", None)
