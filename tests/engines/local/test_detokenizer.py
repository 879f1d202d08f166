"""Streamed pieces, joined, are the whole text: no broken character, no delayed word. Each token has its own bytes."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models
from transformers import PreTrainedTokenizerFast

from demo.embedded import find_embedded
from demo.engines.local import tokenizer as protocol
from demo.engines.local.detokenizer import INCOMPLETE, Detokenizer, Spelling, read_form, spell_tokens
from demo.engines.local.loading.gguf import read_header
from demo.engines.local.loading.gguf_tokenizer import load_tokenizer
from demo.engines.local.runners.transformers.tokenizer import Pretrained
from tests.engines.local.tiny import EOS, make_tokenizer

FIRST_BYTE = 5  # of the ids of the 256 bytes
BYTES = make_tokenizer()
SCRIPTS = [
    "How do you make cheese?",
    "\N{WOMAN}\N{ZERO WIDTH JOINER}\N{GIRL} 🇹🇭 e\N{COMBINING ACUTE ACCENT}",
    "日本語の文章",
    "ภาษาไทยไม่เว้นวรรค",
    "שלום עולם مرحبا",
    "a\N{REPLACEMENT CHARACTER}b",
    "",
]
SPELLED = "a 日本 é 🙂 \N{REPLACEMENT CHARACTER}"

texts = st.one_of(st.sampled_from(SCRIPTS), st.text(max_size=40))
byte_ids = st.lists(st.integers(0, 255), max_size=40)


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


def encode_bytes(text: str) -> list[int]:
    """Hypothesis also tries the texts that this code holds, special tokens' among them: here each is bytes."""
    return list(BYTES.encode(text, split_special_tokens=True))


def decode_bytes(ids: Sequence[int]) -> str:
    return str(BYTES.decode(list(ids), skip_special_tokens=True))


def pieces_of(decode: Callable[[Sequence[int]], str], ids: Sequence[int], context: Sequence[int] = ()) -> list[str]:
    detokenizer = Detokenizer(decode, context)
    return [*(detokenizer.feed(id) for id in ids), detokenizer.flush()]


@given(texts)
@example(EOS)
def test_pieces_joined_are_the_text(text: str) -> None:
    ids = encode_bytes(text)
    assert "".join(pieces_of(decode_bytes, ids)) == text


@given(byte_ids, byte_ids)
def test_pieces_joined_are_what_the_tokenizer_decodes_after_any_prompt(prompt: list[int], ids: list[int]) -> None:
    # A prompt is whole text; only what follows it may be cut anywhere.
    prompt = encode_bytes(decode_bytes(prompt))
    assert "".join(pieces_of(decode_bytes, ids, prompt)) == decode_bytes(ids)


@given(texts)
def test_no_piece_of_whole_characters_holds_a_broken_one(text: str) -> None:
    text = text.replace(INCOMPLETE, "")
    assert not any(INCOMPLETE in piece for piece in pieces_of(decode_bytes, encode_bytes(text)))


@given(st.text(alphabet=st.characters(max_codepoint=127), max_size=40))
@example(EOS)
def test_a_whole_character_is_never_held_back(text: str) -> None:
    assert pieces_of(decode_bytes, encode_bytes(text)) == [*text, ""]


def read_by_decoding_all(ids: Sequence[int]) -> list[str]:
    """The pieces as they would be if every step decoded all ids."""
    pieces, given = [], 0
    for count in range(1, len(ids) + 1):
        text = decode_bytes(ids[:count])
        readable = max(given, len(text.rstrip(INCOMPLETE)))
        pieces.append(text[given:readable])
        given = readable
    return [*pieces, decode_bytes(ids)[given:]]


END = BYTES.all_special_ids[0]
INVALID = BYTES.convert_tokens_to_ids("ÿ")  # the byte 0xFF
PARTS = [*encode_bytes("🙂本é€a"), INVALID, END]
runs = st.lists(st.tuples(st.sampled_from(PARTS), st.sampled_from([1, 1, 2, 25])), max_size=16)


@settings(max_examples=50)
@given(runs)
@example([(PARTS[0], 1), (END, 25), (PARTS[2], 25)])
def test_long_runs_of_incomplete_characters_give_the_pieces_of_decoding_all(runs: list[tuple[int, int]]) -> None:
    ids = [id for id, count in runs for _ in range(count)]
    assert pieces_of(decode_bytes, ids) == read_by_decoding_all(ids)


@pytest.mark.parametrize(
    "half",
    [encode_bytes("🙂")[:3], [INVALID], [*encode_bytes("本")[:2], END]],
    ids=["cut off", "invalid", "cut off by a special token"],
)
def test_a_token_costs_no_more_after_thousands_of_incomplete_characters(half: list[int]) -> None:
    decoded: list[int] = []

    def decode(ids: Sequence[int]) -> str:
        decoded.append(len(ids))
        return decode_bytes(ids)

    detokenizer = Detokenizer(decode)
    for _ in range(2):
        assert not any(detokenizer.feed(id) for id in half * 2000)
        assert max(decoded) <= 32
        text = detokenizer.feed(*encode_bytes("a"))  # the first whole character completes all before it
        assert text == 2000 * INCOMPLETE + "a"
        decoded.clear()


@pytest.mark.parametrize("script", ["🙂", "本", "ไ", "ש"])
def test_a_character_cut_off_at_the_end_is_flushed_as_one_replacement(script: str) -> None:
    ids = encode_bytes(script)[:-1]
    assert pieces_of(decode_bytes, ids) == [""] * len(ids) + [INCOMPLETE]


def test_a_leading_space_is_kept_after_a_prompt_and_between_words() -> None:
    tokenizer = make_sentencepiece()

    def decode(ids: Sequence[int]) -> str:
        return str(tokenizer.decode(list(ids)))

    euro = [FIRST_BYTE + byte for byte in "€".encode()]
    assert pieces_of(decode, [1, 1, 2, *euro], context=[1]) == [" Hello", " Hello", "Hello", "", "", "€", ""]
    assert "".join(pieces_of(decode, [1, 1])) == "Hello Hello"


@pytest.mark.parametrize("kind", ["GGUF", "transformers"])
def test_the_bytes_of_a_texts_tokens_are_the_texts_and_each_text_is_what_the_tokenizer_decodes(kind: str) -> None:
    tokenizer = load_embedded() if kind == "GGUF" else Pretrained(make_tokenizer())
    spell = spell_tokens(tokenizer.decode, tokenizer.token)
    ids = tokenizer.encode(SPELLED, raw=False)
    assert b"".join(spell(id).encode() for id in ids) == SPELLED.encode()
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
