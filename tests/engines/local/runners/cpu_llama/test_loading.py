"""Models in GGUF files, in folders and on the hub are run from their weights as stored, or rounded."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import constants
from transformers.utils import logging as transformers_logging

from demo.errors import SettingError
from demo.request import Request, Sampling
from tests.engines.local.answers import ask
from tests.engines.local.conftest import OpenWorker
from tests.engines.local.tiny import make_network
from tests.engines.local.tiny_files import Recipe, change_json, load, save_folder, write_gguf

COMMIT = "0123456789abcdef0123456789abcdef01234567"
HUB_ID = "org/tiny"
DRAWN = Sampling(do_sample=True, temperature=1.1, top_p=0.9, seed=7)
ROOT = Path(__file__).parents[5]
CODE = """
import sys
from demo.engines.local.loading.model import load_model
from demo.request import Message
from demo.settings import Settings

model = load_model(Settings(model_id=sys.argv[1], device="cpu"), lambda loading: None)
assert model.tokenize((Message("user", "hi"),))[0].endswith("<|assistant|>")
assert model.card.dtype == "Q4_1"
print(*(module for module in ("transformers.modeling_utils", "sympy", "torch._dynamo") if module in sys.modules))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_folder(tmp_path / "tiny", make_network().bfloat16())


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of `HUB_ID` in a cache of the hub, as a download leaves it; still empty."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    repository = tmp_path / "hub" / "models--org--tiny"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    snapshot = repository / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    yield snapshot
    transformers_logging.disable_progress_bar()  # which a download shows


def test_a_folder_is_run_from_its_weights_as_stored_where_that_is_set(folder: Path) -> None:
    card = load(folder, "stored").card
    assert (card.source, card.device, card.dtype) == ("folder", "cpu", "bfloat16")


def test_on_a_cpu_weights_of_16_bits_are_rounded_to_8_unless_set_and_the_log_says_so(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="demo")
    assert load(folder).card.dtype == "Q8_0"
    assert any(message.startswith("dtype=q8_0 (on a CPU: ") for message in caplog.messages)


@pytest.mark.parametrize(
    ("dtype", "rounding", "off"),
    [*((dtype, "q8_0", 0.05) for dtype in ("float", "half", "bfloat16")), ("bfloat16", "q4_1", 0.4)],
)
def test_rounded_weights_answer_nearly_as_the_stored_ones_do(
    dtype: str, rounding: str, off: float, tmp_path: Path, open_worker: OpenWorker
) -> None:
    folder = save_folder(tmp_path / "tiny", getattr(make_network(), dtype)())
    rounded, stored = (open_worker(load(folder, each)) for each in (rounding, "stored"))
    request = Request("abc", 1, Sampling(), top_n_tokens=5, ignore_eos=True)
    (ours,), (theirs,) = ask(rounded, request), ask(stored, request)
    assert ours.logprobs == pytest.approx(theirs.logprobs, abs=off)
    assert ours.logprobs != theirs.logprobs


def test_a_gguf_file_is_loaded_without_importing_what_takes_seconds(tmp_path: Path) -> None:
    file = write_gguf(tmp_path / "tiny.gguf", Recipe(form="Q4_1", forms={"token_embd": "Q8_0"}, tied=True))
    command = [sys.executable, "-c", CODE, str(file)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (0, "\n"), ended.stderr


def test_a_gguf_file_of_16_bits_is_rounded_too_and_one_of_4_bits_is_not(tmp_path: Path) -> None:
    for form, dtype in (("F16", "Q8_0"), ("BF16", "Q8_0"), ("Q4_0", "Q4_0")):
        assert load(write_gguf(tmp_path / f"{form}.gguf", Recipe(form=form))).card.dtype == dtype


@pytest.mark.parametrize("rounding", ["q8_0", "q4_1"])
def test_weights_of_4_bits_are_not_rounded_again(rounding: str, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=rf"--dtype is '{rounding}', but .*: use stored\."):
        load(write_gguf(tmp_path / "4.gguf", Recipe(form="Q4_0")), rounding)


def test_a_gguf_file_of_16_bits_may_be_rounded_to_4(tmp_path: Path) -> None:
    assert load(write_gguf(tmp_path / "16.gguf", Recipe(form="F16")), "q4_1").card.dtype == "Q4_1"


def test_answers_are_those_of_transformers_in_float32(folder: Path, open_worker: OpenWorker) -> None:
    stored, exact = open_worker(load(folder, "stored")), open_worker(load(folder, "float32"))
    for request in (Request("abc", 40), Request("x" * 150, 40), Request("abc", 40, DRAWN)):
        request = replace(request, ignore_eos=True)
        (ours,), (theirs,) = ask(stored, request), ask(exact, request)
        assert ours.ids == theirs.ids
        assert ours.logprobs == pytest.approx(theirs.logprobs, abs=0.02)  # keys and values are float16 here


@pytest.mark.parametrize("ends", [256, [256, 65, 66]])
def test_answers_end_where_transformers_ends_them(ends: int | list[int], folder: Path) -> None:
    change_json(folder / "generation_config.json", eos_token_id=ends)
    assert load(folder).vocabulary.eos_ids == load(folder, "float32").vocabulary.eos_ids
    (folder / "generation_config.json").unlink()
    change_json(folder / "config.json", eos_token_id=ends)
    assert load(folder).vocabulary.eos_ids == load(folder, "float32").vocabulary.eos_ids >= {256}


def test_a_model_of_the_hub_is_run_from_its_weights_as_stored(folder: Path, hub: Path, open_worker: OpenWorker) -> None:
    shutil.copytree(folder, hub, dirs_exist_ok=True)
    model = load(HUB_ID, "stored")
    assert (model.card.model_id, model.card.source, model.card.dtype) == (HUB_ID, "hub", "bfloat16")
    assert model.card.revision == COMMIT
    request = Request("abc", 20, ignore_eos=True)
    assert ask(open_worker(model), request)[0].ids == ask(open_worker(load(folder, "stored")), request)[0].ids


def test_a_model_of_the_hub_in_several_files_is_found(hub: Path) -> None:
    save_folder(hub, make_network().bfloat16(), max_shard_size="30KB")
    assert load(HUB_ID, "stored").card.dtype == "bfloat16"


@pytest.mark.parametrize("dtype", ["auto", "float32"])
def test_a_revision_is_the_one_that_is_asked_for(dtype: str, folder: Path, hub: Path) -> None:
    shutil.copytree(folder, hub, dirs_exist_ok=True)
    (hub.parent.parent / "refs" / "main").unlink()
    (hub.parent.parent / "refs" / "v2").write_text(COMMIT)
    assert load(HUB_ID, dtype, revision="v2").card.revision == COMMIT


def test_an_unsupported_model_is_run_by_transformers_and_the_log_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="demo")
    folder = save_folder(tmp_path, make_network("fused QKV"))
    assert load(folder).card.dtype == "float32"
    reason = "weights as they are stored are not possible: gpt_neox is not of the Llama family"
    assert f"dtype=float32 (on a CPU; {reason})" in caplog.messages
    with pytest.raises(SettingError) as refusal:
        load(folder, "stored")
    assert str(refusal.value) == "--dtype is 'stored', but gpt_neox is not of the Llama family: use auto."
