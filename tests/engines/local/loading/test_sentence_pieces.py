"""SentencePiece's tokenizers of GGUF files, against those that transformers makes of the same files."""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from gguf import GGUFWriter, TokenType
from hypothesis import given, settings
from hypothesis import strategies as st

from demo.engines.local.runners.transformers.tokenizer import Pretrained
from demo.engines.local.tokenizer import Tokenizer
from tests.engines.local.loading.test_gguf_tokenizer import (
    assert_same,
    compare,
    frame,
    load_both,
    name_roles,
    say_nothing,
)
from tests.engines.local.tiny import TEMPLATE
from tests.engines.local.tiny_files import write_file

ARCHITECTURES = ["llama", "phi3", "gemma", "gemma3"]
CONTROL = ["<unk>", "<s>", "</s>", "<bos>", "<|user|>"]
WHOLE = ["<think>", "  ", "   ", "two words"]  # user-defined
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
# Of some words there are several ways to merge them; of "aaaa" the parts are also merged in two orders.
PIECES = ["▁", "▁▁", *"abcdho日本é.<>", "aa", "aaa", "aaaa", "▁a", "ab", "bc", "abc", "▁ab", "▁abc", "日本", "ho", "a"]
TEXT = "  abc  ab\n\n aaaa aaaaa 日本語 🧀<|user|>hé<think>x </think><s>two words   ab<bos> \t <0x41>"
SPECIAL = [*CONTROL, *WHOLE, " ", "\n", "▁", "aaa", "日本", "🧀", "<0x0A>"]


def write_pieces(path: Path, architecture: str, change: Callable[[GGUFWriter], None] = say_nothing) -> Path:
    """A file with a piece for each byte and some words, and no weights. Several pieces have the same score."""
    writer = GGUFWriter(path, architecture)
    tokens = [*CONTROL, *BYTES, *WHOLE, *PIECES]
    kinds = [TokenType.CONTROL] * len(CONTROL) + [TokenType.BYTE] * len(BYTES) + [TokenType.USER_DEFINED] * len(WHOLE)
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_scores([float(-(7 * at % 11)) for at in range(len(tokens))])
    writer.add_token_types([*kinds, *[TokenType.NORMAL] * len(PIECES)])
    writer.add_chat_template(TEMPLATE)
    change(writer)
    write_file(writer)
    return path


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
    architecture: str, change: Callable[[GGUFWriter], None], tmp_path: Path
) -> None:
    ours, theirs = load_both(write_pieces(tmp_path / "pieces.gguf", architecture, change))
    assert_same(ours, theirs, {"<s>", "<|user|>"})
    compare(ours, theirs, TEXT)


@cache
def load_once(architecture: str) -> tuple[Tokenizer, Pretrained]:
    with TemporaryDirectory() as folder:
        return load_both(write_pieces(Path(folder) / "pieces.gguf", architecture, name_roles))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@settings(max_examples=25)
@given(pieces=st.lists(st.text() | st.sampled_from(SPECIAL) | st.sampled_from(PIECES), max_size=8))
def test_any_text_has_the_same_ids_places_and_spelling(architecture: str, pieces: Sequence[str]) -> None:
    compare(*load_once(architecture), "".join(pieces))
