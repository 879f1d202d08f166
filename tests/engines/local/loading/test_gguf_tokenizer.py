"""The tokenizers of GGUF files, against those that transformers makes of the same files."""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import pytest
from gguf import GGUFWriter, TokenType
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import TemplateError
from tokenizers import pre_tokenizers
from transformers import PreTrainedTokenizerFast

from demo.embedded import find_embedded
from demo.engines.local.loading.gguf import read_header
from demo.engines.local.loading.gguf_tokenizer import GgufTokenizer, load_tokenizer
from demo.engines.local.runners.transformers.tokenizer import Pretrained
from demo.engines.local.tokenizer import Tokenizer
from tests.engines.local.tiny import TEMPLATE
from tests.engines.local.tiny_files import write_file

LETTERS = sorted(pre_tokenizers.ByteLevel.alphabet())
WHOLE = ["<|endoftext|>", "<|user|>", "<|end|>", "<think>"]  # of which the last is no special one
CUTS = ["default", "gpt-2", "smollm", "qwen2", "llama-bpe", "tekken", "unheard-of"]
OURS = ["default", "qwen2"]
TURNS = [{"role": role, "content": f"<b>{role}</b> ça\n"} for role in ("system", "user", "assistant", "user")]
TEXT = "  I've 12345 cows;\n\nça va? 日本 🧀<|user|>hé<think>x </think><|end|> \t ab abc<|endoftext|>"
SPECIAL = ["<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|im_start|>user\n", "<repo_name>"]


def say_nothing(writer: GGUFWriter) -> None:
    """Leave the file as it is."""


def name_roles(writer: GGUFWriter) -> None:
    for add, id in ((writer.add_bos_token_id, 257), (writer.add_eos_token_id, 258), (writer.add_unk_token_id, 3)):
        add(id)


def frame(writer: GGUFWriter) -> None:
    name_roles(writer)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(True)


def frame_with_nothing(writer: GGUFWriter) -> None:
    writer.add_add_bos_token(True)


def write_vocabulary(
    path: Path,
    change: Callable[[GGUFWriter], None] = say_nothing,
    whole: Sequence[str] = WHOLE,
    kind: str = "gpt2",
    template: str = TEMPLATE,
) -> Path:
    """A file with a byte for every letter, `whole` tokens, one merge and no weights."""
    writer = GGUFWriter(path, "llama")
    tokens = [*LETTERS, *whole, "ab"]
    kinds = [TokenType.NORMAL] * len(LETTERS) + [TokenType.CONTROL] * len(whole) + [TokenType.NORMAL]
    kinds[-2] = TokenType.USER_DEFINED
    writer.add_tokenizer_model(kind)
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(["a b"])
    writer.add_chat_template(template)
    change(writer)
    write_file(writer)
    return path


def load_both(path: Path) -> tuple[Tokenizer, Pretrained]:
    """Our tokenizer of a file, and transformers' own."""
    theirs = PreTrainedTokenizerFast(gguf_file=path.name, name_or_path=str(path.parent))
    return load_tokenizer(path, read_header(path).metadata), Pretrained(theirs)


def assert_same(ours: Tokenizer, theirs: Pretrained, marks: set[str]) -> None:
    """Ours is built here, and to the letter transformers' own."""
    assert isinstance(ours, GgufTokenizer)
    assert theirs.backend is not None
    assert ours.serialized == theirs.backend.to_str()
    for name in ("eos_id", "special_ids", "control_tokens", "size"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert ours.control_tokens >= marks


def compare(ours: Tokenizer, theirs: Tokenizer, text: str) -> None:
    for raw in (True, False):
        ids = ours.encode(text, raw)
        assert ids == theirs.encode(text, raw)
        assert ours.locate(text, raw) == theirs.locate(text, raw)
        for special in (True, False):
            assert ours.decode(ids, special) == theirs.decode(ids, special)


@pytest.mark.parametrize("change", [say_nothing, name_roles, frame, frame_with_nothing], ids=lambda each: each.__name__)
@pytest.mark.parametrize("whole", [WHOLE, ["<|user|>", "<|end|>", "<｜end｜>", "日", "two words"]])
@pytest.mark.parametrize("cut", OURS)
def test_bytes_are_merged_by_the_same_tokenizer_to_the_letter(
    change: Callable[[GGUFWriter], None], whole: Sequence[str], cut: str, tmp_path: Path
) -> None:
    def change_both(writer: GGUFWriter) -> None:
        writer.add_tokenizer_pre(cut)
        change(writer)

    ours, theirs = load_both(write_vocabulary(tmp_path / "tiny.gguf", change_both, whole))
    assert_same(ours, theirs, {"<|user|>", "<|end|>"})
    compare(ours, theirs, TEXT)


@pytest.mark.parametrize("cut", CUTS)
def test_every_way_of_cutting_a_text_gives_the_ids_of_transformers(cut: str, tmp_path: Path) -> None:
    compare(*load_both(write_vocabulary(tmp_path / "tiny.gguf", lambda writer: writer.add_tokenizer_pre(cut))), TEXT)


def test_tokenizers_of_other_kinds_are_transformers_own(tmp_path: Path) -> None:
    def change(writer: GGUFWriter) -> None:
        frame(writer)
        writer.add_tokenizer_pre("llama-bpe")

    ours, theirs = load_both(write_vocabulary(tmp_path / "pieces.gguf", change, kind="llama"))
    assert isinstance(ours, Pretrained)
    assert (ours.eos_id, ours.special_ids) == (theirs.eos_id, theirs.special_ids)
    compare(ours, theirs, TEXT)


@pytest.mark.parametrize(
    "template",
    [
        TEMPLATE,
        "{{ messages | tojson }}{{ messages[0] | tojson(indent=2) }}{{ eos_token }}",
        "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% break %}{% endfor %}",
        "{% set ns = namespace(n=0) %}{% set ns.n = 1 %}{{ ns.n }}{{ dict(a=1) }}{{ strftime_now('%Y') }}",
    ],
)
def test_a_conversation_is_written_as_transformers_writes_it(template: str, tmp_path: Path) -> None:
    ours, theirs = load_both(write_vocabulary(tmp_path / "tiny.gguf", name_roles, template=template))
    assert ours.apply_chat_template(TURNS) == theirs.apply_chat_template(TURNS)


@pytest.mark.parametrize(
    "template",
    [
        "{{ messages.append(1) }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ namespace(_a=1) }}",
        "{{ dict.__class__.__base__.__subclasses__() }}",
        "{{ cycler.__init__.__globals__.os }}",
        "{{ raise_exception('no system here') }}",
        "{% no such %}",
    ],
)
def test_what_a_template_may_not_do_is_a_template_error(template: str, tmp_path: Path) -> None:
    ours, _ = load_both(write_vocabulary(tmp_path / "tiny.gguf", name_roles, template=template))
    with pytest.raises(TemplateError):
        ours.apply_chat_template(TURNS)


@cache
def load_embedded() -> tuple[Tokenizer, Pretrained]:
    file = find_embedded()
    assert file is not None, "the embedded model is missing: run `make test`"
    return load_both(file)


def test_the_tokenizer_of_the_embedded_model_is_that_of_transformers() -> None:
    assert_same(*load_embedded(), {"<|im_start|>", "<|im_end|>", "<|endoftext|>"})


@given(text=st.lists(st.text() | st.sampled_from(SPECIAL), max_size=8).map("".join))
def test_any_text_has_the_same_ids_places_and_spelling(text: str) -> None:
    compare(*load_embedded(), text)
