"""Each token reads as it does inside a text, and a part of a character has its own bytes."""

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models
from transformers import PreTrainedTokenizerFast

from demo.embedded import find_embedded
from demo.engines.local import tokenizer as protocol
from demo.engines.local.loading.gguf import read_header
from demo.engines.local.loading.gguf_tokenizer import load_tokenizer
from demo.engines.local.runners.transformers.tokenizer import Pretrained
from demo.engines.local.spelling import Spelling, read_form, spell_tokens
from tests.engines.local.tiny import EOS, make_tokenizer

FIRST_BYTE = 5  # of the ids of the 256 bytes
TEXT = "a 日本 é 🙂 \N{REPLACEMENT CHARACTER}"


def make_sentencepiece() -> Tokenizer:
    """Words that carry their leading space, which decoding strips at the start of a text, and a byte for each rest."""
    words = ["<unk>", "▁Hello", "Hello", "▁", "▁▁", *(f"<0x{byte:02X}>" for byte in range(256))]
    tokenizer = Tokenizer(models.BPE(vocab={word: id for id, word in enumerate(words)}, merges=[], byte_fallback=True))
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.add_special_tokens([AddedToken("</s>", special=True)])
    return tokenizer


def load_embedded() -> protocol.Tokenizer:
    embedded = find_embedded()
    assert embedded is not None
    return load_tokenizer(embedded, read_header(embedded).metadata)


@pytest.mark.parametrize("kind", ["GGUF", "transformers"])
def test_the_bytes_of_a_texts_tokens_are_the_texts_and_each_text_is_what_the_tokenizer_decodes(kind: str) -> None:
    tokenizer = load_embedded() if kind == "GGUF" else Pretrained(make_tokenizer())
    spell = spell_tokens(tokenizer.decode, tokenizer.token)
    ids = tokenizer.encode(TEXT, raw=False)
    assert b"".join(spell(id).encode() for id in ids) == TEXT.encode()
    assert [spell(id).text for id in ids] == [tokenizer.decode([id]) for id in ids]
    assert any(spell(id).encoded is not None for id in ids)


def test_sentencepieces_tokens_keep_their_leading_space_and_their_byte() -> None:
    tokenizer = Pretrained(PreTrainedTokenizerFast(tokenizer_object=make_sentencepiece(), eos_token="</s>"))
    spell = spell_tokens(tokenizer.decode, tokenizer.token)
    assert [spell(id).text for id in (1, 2, 3, 4)] == [" Hello", "Hello", " ", "  "]
    byte = {byte: spell(FIRST_BYTE + byte) for byte in range(256)}
    assert byte[0x41] == Spelling("A")
    assert byte[0xE2] == Spelling("\N{REPLACEMENT CHARACTER}", b"\xe2")
    assert [byte[number].encode() for number in range(256)] == [bytes([number]) for number in range(256)]


def test_a_special_token_and_an_id_without_a_token_have_their_text() -> None:
    tokenizer = Pretrained(make_tokenizer())
    spell = spell_tokens(tokenizer.decode, tokenizer.token)
    assert spell(256) == Spelling(EOS)
    assert spell(100_000) == Spelling("")


@pytest.mark.parametrize(
    ("form", "read"),
    [
        ("Ġworld", b" world"),
        ("âĤ", b"\xe2\x82"),
        ("<0xE2>", b"\xe2"),
        ("▁a�", "▁a�".encode()),
        (b"\xe2", b"\xe2"),
        (None, None),
    ],
)
def test_a_form_stands_for_bytes(form: str | bytes | None, read: bytes | None) -> None:
    assert read_form(form) == read
