"""What ends an answer: all that the files configure, and what llama.cpp knows as an end, on both paths."""

from collections.abc import Callable
from pathlib import Path

import pytest
from gguf import GGUFValueType, GGUFWriter
from tokenizers import AddedToken
from transformers import PreTrainedTokenizerFast

from demo.engines.local.loading.end_tokens import find_end_ids
from demo.engines.local.model import Model
from demo.engines.local.runners.transformers.tokenizer import Pretrained
from tests.engines.local.tiny import VOCABULARY, make_tokenizer
from tests.engines.local.tiny_files import Recipe, change_json, load, save_folder, write_gguf

END = VOCABULARY - 4  # `<|end|>`, which llama.cpp knows
PLAIN = 65
ARRAY, INT32 = GGUFValueType.ARRAY, GGUFValueType.INT32


def make_tokenizer_with(*tokens: str, special: bool = True) -> Pretrained:
    tokenizer: PreTrainedTokenizerFast = make_tokenizer()
    tokenizer.add_tokens([AddedToken(token, special=special) for token in tokens])
    return Pretrained(tokenizer)


def spell_ends(tokenizer: Pretrained, *configured: int) -> set[str]:
    return {tokenizer.decode([id]) for id in find_end_ids(tokenizer, configured, 300)}


@pytest.mark.parametrize("token", ["<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<end_of_turn>", "<|endoftext|>"])
@pytest.mark.parametrize("special", [True, False])
def test_a_token_that_llama_cpp_knows_ends_an_answer_whatever_the_file_calls_it(token: str, special: bool) -> None:
    assert spell_ends(make_tokenizer_with(token, special=special)) == {"<|end|>", token}


def test_what_could_be_text_ends_an_answer_as_a_control_token_only() -> None:
    assert spell_ends(make_tokenizer_with("</s>", special=True)) == {"<|end|>", "</s>"}
    assert spell_ends(make_tokenizer_with("</s>", special=False)) == {"<|end|>"}


def test_the_end_of_one_message_of_several_ends_no_answer() -> None:
    tokenizer = make_tokenizer_with("<|return|>", "<|call|>")
    tokenizer.eos_id = None
    assert spell_ends(tokenizer) == {"<|return|>", "<|call|>"}


def test_ids_outside_of_the_vocabulary_are_left_out() -> None:
    assert find_end_ids(make_tokenizer_with(), [PLAIN, -1, 1 << 31], 300) == {PLAIN, END}


def load_both(model_id: Path) -> list[Model]:
    return [load(model_id, dtype) for dtype in ("stored", "float32")]


def name_ends(**ids: int | list[int]) -> Callable[[GGUFWriter], None]:
    def change(writer: GGUFWriter) -> None:
        for name, id in ids.items():
            kind, of = (ARRAY, INT32) if isinstance(id, list) else (INT32, None)
            writer.add_key_value(f"tokenizer.ggml.{name}", id, kind, of)

    return change


def test_every_end_that_a_gguf_file_names_ends_an_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    ends = name_ends(eot_token_id=1, eom_token_id=2, eos_token_ids=[3, 4])
    file = write_gguf(tmp_path / "ends.gguf", Recipe(change=ends))
    for model in load_both(file):
        assert model.vocabulary.eos_ids == {1, 2, 3, 4, END}


def test_every_end_that_a_folder_names_ends_an_answer(tmp_path: Path) -> None:
    folder = save_folder(tmp_path)
    change_json(folder / "generation_config.json", eos_token_id=[1, 2])
    change_json(folder / "config.json", eos_token_id=3)
    for model in load_both(folder):
        assert model.vocabulary.eos_ids == {1, 2, 3, END}
