"""Models as they are loaded, the limits of their requests, and the encoding of prompts."""

from dataclasses import replace
from pathlib import Path

import pytest
from tokenizers.processors import TemplateProcessing
from transformers import LlamaConfig

from demo.engine import Loading
from demo.engines.local.loading.model import build_model, load_model
from demo.engines.local.loading.source import ModelSource
from demo.engines.local.model import Model
from demo.engines.local.runners.transformers.loading import wrap_network
from demo.errors import BadRequest, SettingError
from demo.request import Message
from demo.settings import Settings
from tests.engines.local.tiny import LLAMA, build_network, make_model, make_network, make_tokenizer
from tests.engines.local.tiny_files import load, save_folder

CONTEXT = 512


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_folder(tmp_path_factory.mktemp("models") / "tiny")


def test_a_saved_folder_loads_and_says_what_it_is(folder: Path) -> None:
    steps: list[Loading] = []
    model = load_model(Settings(model_id=str(folder), device="cpu", dtype="stored"), steps.append)
    card = model.card
    assert (card.model_id, card.source, card.device, card.dtype) == ("tiny", "folder", "cpu", "float32")
    assert (card.max_input_tokens, card.max_total_tokens) == (CONTEXT - 1, CONTEXT)
    assert [loading.step for loading in steps] == ["loading tiny", "warming up"]


def test_loading_logs_only_the_choices(
    folder: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="demo")
    load(folder)
    assert capfd.readouterr() == ("", "")
    names = [message.partition("=")[0] for message in caplog.messages]
    assert names == ["threads", "device", "model", "dtype", "max_total_tokens", "kv_cache_memory"]
    assert all(message.endswith(")") and " (" in message for message in caplog.messages)


def build_for_gpu(architecture: str, settings: Settings | None = None) -> Model:
    """A model as it is built for a GPU, its tensors on the CPU."""
    loaded = replace(wrap_network(make_network(architecture), make_tokenizer()), device="cuda")
    return build_model(loaded, ModelSource("tiny", "folder", "tiny", "made by a test"), settings or Settings())


def test_on_a_gpu_the_step_is_captured_and_the_number_of_rows_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="demo")
    model = build_for_gpu("llama", Settings(max_concurrent_requests=5))
    assert model.runner.limits.max_num_seqs == 5
    assert f"rows=5 (room for {CONTEXT} tokens in each, on the GPU)" in caplog.messages


def test_on_a_gpu_there_are_no_more_rows_than_the_memory_for_keys_and_values_holds() -> None:
    eager = build_for_gpu("llama", Settings(kv_cache_memory=1 << 20, cuda_graphs=())).runner.limits.capacity
    assert eager is not None
    row = CONTEXT * (1 << 20) // eager  # bytes
    assert build_for_gpu("llama", Settings(kv_cache_memory=3 * row)).runner.limits.max_num_seqs == 3


def test_a_model_that_cannot_be_captured_runs_eagerly_and_the_log_says_why(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="demo")
    model = build_for_gpu("sliding window")
    assert model.runner.limits.max_num_seqs is None
    assert "cuda_graphs=0 (the model has layers of type sliding_attention)" in caplog.messages


def test_a_request_beyond_the_models_limits_is_refused_with_the_numbers() -> None:
    model = make_model(settings=Settings(max_input_tokens=10, max_total_tokens=30))
    model.choose_length(10, 20)
    with pytest.raises(BadRequest, match="has 11 tokens, and at most 10 are accepted"):
        model.choose_length(11, 1)
    with pytest.raises(BadRequest, match=r"must be <= 30, and 10 \+ 21 are 31: ask for fewer or shorten"):
        model.choose_length(10, 21)


def test_the_longest_answer_is_the_operators_and_a_request_for_more_is_refused() -> None:
    model = make_model(settings=Settings(max_new_tokens=5, max_total_tokens=30))
    assert model.choose_length(10, None) == model.choose_length(10, 5) == 5
    with pytest.raises(BadRequest, match="at most 5 tokens here, and 6 are asked for"):
        model.choose_length(10, 6)


def test_a_prompt_longer_than_the_tokenizer_expects_is_read_without_warning(capfd: pytest.CaptureFixture[str]) -> None:
    tokenizer = make_tokenizer()
    tokenizer.model_max_length = 20
    model = make_model(tokenizer=tokenizer)
    assert len(model.encode("x" * 100)) == 100
    assert len(model.encode((Message("user", "x" * 100),))) > 100
    assert capfd.readouterr() == ("", "")


def test_a_total_beyond_the_models_context_is_one_sentence_with_both_numbers() -> None:
    make_model(settings=Settings(max_total_tokens=CONTEXT))
    with pytest.raises(SettingError) as refusal:
        make_model(settings=Settings(max_total_tokens=CONTEXT + 1))
    assert str(refusal.value) == f"--max-total-tokens is {CONTEXT + 1}: this model takes at most {CONTEXT} tokens."


@pytest.mark.parametrize("max_input_tokens", [CONTEXT, 100_000])
def test_an_input_limit_beyond_the_models_context_is_one_sentence_with_both_numbers(max_input_tokens: int) -> None:
    make_model(settings=Settings(max_input_tokens=CONTEXT - 1))
    with pytest.raises(SettingError) as refusal:
        make_model(settings=Settings(max_input_tokens=max_input_tokens))
    assert str(refusal.value).startswith(f"--max-input-tokens is {max_input_tokens}: it must be less than {CONTEXT}")


def test_a_long_context_is_used_up_to_4096_tokens_unless_more_is_asked_for() -> None:
    network = build_network(LlamaConfig(**LLAMA | {"max_position_embeddings": 100_000}))
    assert make_model(network).card.max_total_tokens == 4096
    assert make_model(network, Settings(max_total_tokens=50_000)).card.max_total_tokens == 50_000


def test_a_tokenizer_that_adds_a_first_token_loads(tmp_path: Path) -> None:
    folder = save_folder(tmp_path / "first")
    tokenizer = make_tokenizer()
    first = ("<|user|>", tokenizer.convert_tokens_to_ids("<|user|>"))
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single="<|user|> $A", special_tokens=[first])
    tokenizer.save_pretrained(folder)
    model = load(folder)
    assert len(model.encode("warm up")) == len("warm up") + 1


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_every_dtype_loads(folder: Path, dtype: str) -> None:
    assert load(folder, dtype=dtype).card.dtype == dtype
