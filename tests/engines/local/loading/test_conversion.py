"""GGUF files are converted once, into folders that are intact or rebuilt."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from demo.engines.local.loading.cache_dir import cache_dir
from demo.engines.local.loading.conversion import MANIFEST, convert_once, is_intact
from demo.engines.local.loading.model import load_model
from demo.errors import ModelError
from demo.request import Message
from demo.settings import Settings
from tests.engines.local.tiny_files import Recipe, damage_file, write_gguf

ROOT = Path(__file__).parents[4]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return cache_dir()


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gguf(tmp_path_factory.mktemp("gguf") / "tiny.Q4_1.gguf")


def convert(gguf: Path) -> tuple[Path, list[str]]:
    """The folder, and what was reported on the way."""
    steps: list[str] = []
    return convert_once(gguf, steps.append), steps


def folders_in(cache: Path) -> list[Path]:
    return [path for path in cache.glob("*") if path.is_dir()]


def test_a_file_is_converted_once_and_the_conversion_is_reported(gguf: Path, cache: Path) -> None:
    folder, steps = convert(gguf)
    assert folder.parent == cache
    assert is_intact(folder)
    assert steps == ["converting the model, once"]
    before = {path: path.stat().st_mtime_ns for path in [folder, *folder.iterdir()]}
    assert convert(gguf) == (folder, [])
    assert {path: path.stat().st_mtime_ns for path in [folder, *folder.iterdir()]} == before


def test_the_converted_model_loads_and_knows_its_template_and_end(gguf: Path) -> None:
    model = load_model(Settings(model_id=str(gguf), dtype="float32"), lambda loading: None)
    assert model.card.model_id == "tiny.Q4_1"
    assert model.card.source == "gguf"
    assert model.card.max_total_tokens == 512
    ids = model.encode((Message("user", "hé🧀"),))
    assert model.tokenizer.decode(ids) == "<|user|>hé🧀<|end|><|assistant|>"
    assert {model.tokenizer.decode([id]) for id in model.vocabulary.eos_ids} == {"<|end|>"}


def test_the_same_content_under_another_folder_is_not_converted_again(gguf: Path, tmp_path: Path) -> None:
    folder, _ = convert(gguf)
    moved = tmp_path / gguf.name
    shutil.copy(gguf, moved)
    assert convert(moved) == (folder, [])


def test_other_content_under_the_same_name_is_converted_anew(gguf: Path, tmp_path: Path) -> None:
    folder, _ = convert(gguf)
    other, steps = convert(write_gguf(tmp_path / gguf.name, Recipe(seed=1)))
    assert other != folder
    assert steps
    assert is_intact(folder)
    assert is_intact(other)


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        ("model.safetensors", lambda content: content[:-1] + bytes([content[-1] ^ 1])),
        ("model.safetensors", lambda content: content[:100]),
        ("tokenizer.json", None),
        (MANIFEST, None),
        (MANIFEST, lambda content: content[:20]),
        (MANIFEST, lambda content: b"{}"),
        (MANIFEST, lambda content: b"[]"),
    ],
)
def test_a_damaged_or_incomplete_folder_is_noticed_and_rebuilt(
    file: str, damage: Callable[[bytes], bytes] | None, gguf: Path, cache: Path
) -> None:
    folder, _ = convert(gguf)
    damage_file(folder / file, damage)
    assert not is_intact(folder)
    again, steps = convert(gguf)
    assert again == folder
    assert steps
    assert is_intact(folder)
    assert folders_in(cache) == [folder]


def test_the_remains_of_a_killed_conversion_are_removed(gguf: Path, cache: Path) -> None:
    folder, _ = convert(gguf)
    shutil.rmtree(folder)
    for remainder in ("abc", "def"):
        (cache / f"{folder.name}.partial-{remainder}").mkdir()
    convert(gguf)
    assert folders_in(cache) == [folder]


def test_threads_at_once_convert_once_and_all_get_an_intact_folder(gguf: Path, cache: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(convert, [gguf] * 3))
    (folder,) = {folder for folder, _ in results}
    assert is_intact(folder)
    assert sum(len(steps) for _, steps in results) == 1
    assert folders_in(cache) == [folder]


def test_processes_at_once_convert_once_and_all_get_an_intact_folder(gguf: Path, cache: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from demo.engines.local.loading.conversion import convert_once, is_intact\n"
        "assert is_intact(convert_once(Path(sys.argv[1]), print))"
    )
    command = [sys.executable, "-c", code, str(gguf)]
    processes = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert sorted(said) == ["", "converting the model, once\n"]
    assert len(folders_in(cache)) == 1


def test_the_progress_of_a_conversion_is_shown(gguf: Path, capfd: pytest.CaptureFixture[str]) -> None:
    convert(gguf)
    assert "100%" in capfd.readouterr().err
    convert(gguf)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: b"not GGUF at all",
        lambda content: b"GGUF\x03\x00\x00\x00 and then garbage" * 10,
        lambda content: content[:-20_000],
    ],
)
def test_a_damaged_gguf_file_is_refused_in_one_sentence_and_leaves_nothing(
    damage: Callable[[bytes], bytes], gguf: Path, tmp_path: Path, cache: Path
) -> None:
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(damage(gguf.read_bytes()))
    with pytest.raises(ModelError, match=rf"^{re.escape(str(bad))} can't be loaded: .+\Z"):
        convert(bad)
    assert folders_in(cache) == []


def test_a_cache_that_cannot_be_written_is_one_sentence_with_the_remedy(
    gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    said = f"The converted model can't be kept in {tmp_path / 'file'}"
    with pytest.raises(ModelError, match=rf"^{re.escape(said)}.*set XDG_CACHE_HOME.*\Z"):
        convert(gguf)


def test_without_xdg_the_cache_is_under_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_dir() == tmp_path / ".cache" / "token-streaming"
