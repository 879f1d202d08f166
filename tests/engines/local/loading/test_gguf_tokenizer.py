"""The tokenizers of GGUF files, against those that transformers makes of the same files."""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import pytest
from gguf import GGUFWriter, TokenType
from hypothesis import given, settings
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

Change: TypeAlias = Callable[[GGUFWriter], None]

LETTERS = sorted(pre_tokenizers.ByteLevel.alphabet())
WHOLE = ["<|endoftext|>", "<|user|>", "<|end|>", "<think>"]  # of which the last is no special one
CUTS = ["default", "gpt-2", "smollm", "qwen2", "llama-bpe", "tekken", "unheard-of"]
OURS = ["default", "qwen2"]
TURNS = [{"role": role, "content": f"<b>{role}</b> ça\n"} for role in ("system", "user", "assistant", "user")]
TEXT = "  I've 12345 cows;\n\nça va? 日本 🧀<|user|>hé<think>x </think><|end|> \t ab abc<|endoftext|>"
SPECIAL = ["<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|im_start|>user\n", "<repo_name>"]

# SentencePiece's vocabularies.
ARCHITECTURES = ["llama", "phi3", "gemma", "gemma3"]
CONTROL = ["<unk>", "<s>", "</s>", "<bos>", "<|user|>"]
USER_DEFINED = ["<think>", "  ", "   ", "two words"]
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
# Of some words there are several ways to merge them; of "aaaa" the parts are also merged in two orders.
PIECES = ["▁", "▁▁", *"abcdho日本é.<>", "aa", "aaa", "aaaa", "▁a", "ab", "bc", "abc", "▁ab", "▁abc", "日本", "ho", "a"]
PIECES_TEXT = "  abc  ab\n\n aaaa aaaaa 日本語 🧀<|user|>hé<think>x </think><s>two words   ab<bos> \t <0x41>"
MARKS = [*CONTROL, *USER_DEFINED, " ", "\n", "▁", "aaa", "日本", "🧀", "<0x0A>"]


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


def add(name: str, value: object) -> Change:
    return lambda writer: getattr(writer, f"add_{name}")(value)


def write_tokens(
    path: Path,
    tokens: Sequence[tuple[Sequence[str], TokenType]],
    *changes: Change,
    kind: str,
    architecture: str = "llama",
    template: str = TEMPLATE,
) -> Path:
    """A file with a vocabulary of tokens of some types, and no weights."""
    writer = GGUFWriter(path, architecture)
    writer.add_tokenizer_model(kind)
    writer.add_token_list([token for those, _ in tokens for token in those])
    writer.add_token_types([type for those, type in tokens for _ in those])
    writer.add_chat_template(template)
    for change in changes:
        change(writer)
    write_file(writer)
    return path


def write_letters(
    path: Path, *changes: Change, whole: Sequence[str] = WHOLE, kind: str = "gpt2", template: str = TEMPLATE
) -> Path:
    """A file with a byte for every letter, `whole` tokens, of which the last is user-defined, and one merge."""
    *control, last = whole
    normal = TokenType.NORMAL
    tokens = [(LETTERS, normal), (control, TokenType.CONTROL), ([last], TokenType.USER_DEFINED), (["ab"], normal)]
    return write_tokens(path, tokens, add("token_merges", ["a b"]), *changes, kind=kind, template=template)


def load_both(path: Path) -> tuple[Tokenizer, Pretrained]:
    """Our tokenizer of a file, and transformers' own."""
    theirs = PreTrainedTokenizerFast(gguf_file=path.name, name_or_path=str(path.parent))
    return load_tokenizer(path, read_header(path).metadata), Pretrained(theirs)


def assert_same(ours: Tokenizer, theirs: Pretrained, marks: set[str]) -> None:
    """Ours is built here, and to the letter transformers' own."""
    assert isinstance(ours, GgufTokenizer)
    assert theirs.backend is not None
    assert ours.backend.to_str() == theirs.backend.to_str()
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
    change: Change, whole: Sequence[str], cut: str, tmp_path: Path
) -> None:
    ours, theirs = load_both(write_letters(tmp_path / "tiny.gguf", add("tokenizer_pre", cut), change, whole=whole))
    assert_same(ours, theirs, {"<|user|>", "<|end|>"})
    compare(ours, theirs, TEXT)


@pytest.mark.parametrize("cut", CUTS)
def test_every_way_of_cutting_a_text_gives_the_ids_of_transformers(cut: str, tmp_path: Path) -> None:
    compare(*load_both(write_letters(tmp_path / "tiny.gguf", add("tokenizer_pre", cut))), TEXT)


def test_tokenizers_of_other_kinds_are_transformers_own(tmp_path: Path) -> None:
    changes = frame, add("tokenizer_pre", "llama-bpe")
    ours, theirs = load_both(write_letters(tmp_path / "pieces.gguf", *changes, kind="llama"))
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
    ours, theirs = load_both(write_letters(tmp_path / "tiny.gguf", name_roles, template=template))
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
    ours, _ = load_both(write_letters(tmp_path / "tiny.gguf", name_roles, template=template))
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


def write_pieces(path: Path, architecture: str, change: Change = say_nothing) -> Path:
    """A file with a piece for each byte and some words. Several pieces have the same score."""
    kinds = (TokenType.CONTROL, TokenType.BYTE, TokenType.USER_DEFINED, TokenType.NORMAL)
    tokens = list(zip((CONTROL, BYTES, USER_DEFINED, PIECES), kinds, strict=True))
    scores = [float(-(7 * at % 11)) for at in range(sum(len(those) for those, _ in tokens))]
    changes = add("tokenizer_pre", "default"), add("token_scores", scores), change
    return write_tokens(path, tokens, *changes, kind="llama", architecture=architecture)


def list_merges(writer: GGUFWriter) -> None:
    writer.add_token_merges(["a b", "ab c", "▁ a"])


def add_no_beginning(writer: GGUFWriter) -> None:
    name_roles(writer)
    writer.add_add_bos_token(False)


@pytest.mark.parametrize(
    "change", [say_nothing, name_roles, frame, list_merges, add_no_beginning], ids=lambda each: each.__name__
)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_pieces_are_merged_by_the_same_tokenizer_to_the_letter(
    architecture: str, change: Change, tmp_path: Path
) -> None:
    ours, theirs = load_both(write_pieces(tmp_path / "pieces.gguf", architecture, change))
    assert_same(ours, theirs, {"<s>", "<|user|>"})
    compare(ours, theirs, PIECES_TEXT)


@cache
def load_pieces(architecture: str) -> tuple[Tokenizer, Pretrained]:
    with TemporaryDirectory() as folder:
        return load_both(write_pieces(Path(folder) / "pieces.gguf", architecture, name_roles))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@settings(max_examples=25)
@given(pieces=st.lists(st.text() | st.sampled_from(MARKS) | st.sampled_from(PIECES), max_size=8))
def test_any_text_of_pieces_has_the_same_ids_places_and_spelling(architecture: str, pieces: Sequence[str]) -> None:
    compare(*load_pieces(architecture), "".join(pieces))
