"""Text that is streamed, joined, is the whole text; no broken character, no held-back word, no stop string."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from demo.engines.local.detokenizer import INCOMPLETE, Detokenizer, StopStrings
from tests.engines.local.tiny import make_tokenizer

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

texts = st.one_of(st.sampled_from(SCRIPTS), st.text(max_size=40))
byte_ids = st.lists(st.integers(0, 255), max_size=40)


def decode_bytes(ids: Sequence[int]) -> str:
    return str(BYTES.decode(list(ids), skip_special_tokens=True))


def pieces_of(decode: Callable[[Sequence[int]], str], ids: Sequence[int], context: Sequence[int] = ()) -> list[str]:
    detokenizer = Detokenizer(decode, context)
    return [*(detokenizer.feed(id) for id in ids), detokenizer.flush()]


@given(texts)
def test_pieces_joined_are_the_text(text: str) -> None:
    ids = BYTES.encode(text)
    assert "".join(pieces_of(decode_bytes, ids)) == text


@given(byte_ids, byte_ids)
def test_pieces_joined_are_what_the_tokenizer_decodes_for_any_bytes_after_any_prompt(
    prompt: list[int], ids: list[int]
) -> None:
    # A prompt is whole text; only what follows it may be cut anywhere.
    prompt = BYTES.encode(decode_bytes(prompt))
    assert "".join(pieces_of(decode_bytes, ids, prompt)) == decode_bytes(ids)


@given(texts)
def test_no_piece_of_whole_characters_holds_a_broken_one(text: str) -> None:
    text = text.replace(INCOMPLETE, "")
    assert not any(INCOMPLETE in piece for piece in pieces_of(decode_bytes, BYTES.encode(text)))


@given(st.text(alphabet=st.characters(max_codepoint=127), max_size=40))
def test_a_whole_character_is_never_held_back(text: str) -> None:
    assert pieces_of(decode_bytes, BYTES.encode(text)) == [*text, ""]


@pytest.mark.parametrize("script", ["🙂", "本", "ไ", "ש"])
def test_a_character_cut_off_at_the_end_is_flushed_as_one_replacement(script: str) -> None:
    ids = BYTES.encode(script)[:-1]
    assert pieces_of(decode_bytes, ids) == [""] * len(ids) + [INCOMPLETE]


def sentencepiece_like() -> Tokenizer:
    """Words that carry their leading space, which decoding strips at the start of a text."""
    words = ["<unk>", "▁Hello", "▁world", "▁again", "!", "<0xE2>", "<0x82>", "<0xAC>"]
    tokenizer = Tokenizer(models.BPE(vocab={word: id for id, word in enumerate(words)}, merges=[], byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return tokenizer


def test_a_leading_space_is_kept_after_a_prompt_and_between_words() -> None:
    tokenizer = sentencepiece_like()

    def decode(ids: Sequence[int]) -> str:
        return str(tokenizer.decode(list(ids)))

    assert pieces_of(decode, [2, 3, 4, 5, 6, 7], context=[1]) == [" world", " again", "!", "", "", "€", ""]
    assert "".join(pieces_of(decode, [1, 2])) == "Hello world"


stop_lists = st.lists(st.text(alphabet="ab\n", min_size=1, max_size=4), max_size=4)
chunks = st.lists(st.text(alphabet="ab\n", max_size=3), max_size=20)


@given(stop_lists, chunks)
def test_a_stop_string_never_leaks_and_nothing_else_is_lost(stops: list[str], chunks: list[str]) -> None:
    scanner, shown, stopped = StopStrings(stops), "", False
    for chunk in chunks:
        text, stopped = scanner.feed(chunk)
        shown += text
        if stopped:
            break
    text = "".join(chunks)
    hits = [at for stop in stops if (at := text.find(stop)) >= 0]
    if not stopped:
        shown += scanner.flush()
        assert (shown, hits) == (text, [])
    else:
        assert text.startswith(shown)
        assert not any(stop in shown for stop in stops)
        assert any(text.startswith(stop, len(shown)) for stop in stops)


@given(st.text(max_size=10))
def test_text_that_cannot_begin_a_stop_string_passes_at_once(text: str) -> None:
    assert StopStrings(["\N{SNOWMAN}end"]).feed(text.replace("\N{SNOWMAN}", "")) == (
        text.replace("\N{SNOWMAN}", ""),
        False,
    )
