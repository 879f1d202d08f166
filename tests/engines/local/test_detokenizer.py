"""Streamed pieces, joined, are the whole text: no broken character, no delayed word."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from demo.engines.local.detokenizer import INCOMPLETE, Detokenizer
from tests.engines.local.test_spelling import FIRST_BYTE, make_sentencepiece
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
def test_pieces_joined_are_what_the_tokenizer_decodes_after_any_prompt(prompt: list[int], ids: list[int]) -> None:
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
PARTS = [*BYTES.encode("🙂本é€a"), INVALID, END]
runs = st.lists(st.tuples(st.sampled_from(PARTS), st.sampled_from([1, 1, 2, 25])), max_size=16)


@settings(max_examples=50)
@given(runs)
@example([(PARTS[0], 1), (END, 25), (PARTS[2], 25)])
def test_long_runs_of_incomplete_characters_give_the_pieces_of_decoding_all(runs: list[tuple[int, int]]) -> None:
    ids = [id for id, count in runs for _ in range(count)]
    assert pieces_of(decode_bytes, ids) == read_by_decoding_all(ids)


@pytest.mark.parametrize(
    "half",
    [BYTES.encode("🙂")[:3], [INVALID], [*BYTES.encode("本")[:2], END]],
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
        text = detokenizer.feed(*BYTES.encode("a"))  # the first whole character completes all before it
        assert text == 2000 * INCOMPLETE + "a"
        decoded.clear()


@pytest.mark.parametrize("script", ["🙂", "本", "ไ", "ש"])
def test_a_character_cut_off_at_the_end_is_flushed_as_one_replacement(script: str) -> None:
    ids = BYTES.encode(script)[:-1]
    assert pieces_of(decode_bytes, ids) == [""] * len(ids) + [INCOMPLETE]


def test_a_leading_space_is_kept_after_a_prompt_and_between_words() -> None:
    tokenizer = make_sentencepiece()

    def decode(ids: Sequence[int]) -> str:
        return str(tokenizer.decode(list(ids)))

    euro = [FIRST_BYTE + byte for byte in "€".encode()]
    assert pieces_of(decode, [1, 1, 2, *euro], context=[1]) == [" Hello", " Hello", "Hello", "", "", "€", ""]
    assert "".join(pieces_of(decode, [1, 1])) == "Hello Hello"
