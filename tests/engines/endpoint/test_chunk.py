"""Chunks are split into the tokens that an engine elsewhere merged: by hypothesis for any merging."""

from hypothesis import given, settings
from hypothesis import strategies as st

from demo.engines.endpoint.chunk import Chunk, Entry, Splitter

TEXTS = st.lists(st.text("ab é日😀", min_size=1, max_size=6), min_size=1, max_size=8)
drawn = settings(max_examples=40, database=None, derandomize=True)


def cut_into_tokens(text: str, size: int) -> list[bytes]:
    """Tokens of `size` bytes, some of which are parts of characters."""
    raw = text.encode()
    return [raw[at : at + size] for at in range(0, len(raw), size)]


def read_texts(raws: list[bytes]) -> list[str]:
    """What each token completes."""
    texts, done = [], ""
    for number in range(1, len(raws) + 1):
        readable = b"".join(raws[:number]).decode(errors="ignore")
        texts.append(readable.removeprefix(done))
        done = readable
    return texts


@drawn
@given(st.text("ab é日😀", min_size=1, max_size=12), st.integers(1, 3), st.lists(st.integers(1, 4), max_size=12))
def test_merged_tokens_are_those_that_were_merged_also_with_parts_of_characters(
    text: str, size: int, merged: list[int]
) -> None:
    raws = cut_into_tokens(text, size)
    texts = read_texts(raws)
    splitter, parts, at = Splitter(), [], 0
    for number in [*merged, len(raws)]:
        ids = tuple(range(at, min(at + number, len(raws))))
        if ids:
            entries = tuple(Entry(raws[id], -float(id)) for id in ids)
            parts += splitter.split(Chunk("".join(texts[id] for id in ids), ids, entries, count=at + len(ids)))
            at += len(ids)
    assert [(part.id, part.text, part.special) for part in parts] == [
        (id, text, False) for id, text in enumerate(texts)
    ]
    assert [part.entry.logprob for part in parts if part.entry] == [-float(id) for id in range(len(raws))]


@drawn
@given(TEXTS)
def test_whatever_is_told_the_texts_joined_are_the_chunks(texts: list[str]) -> None:
    splitter = Splitter()
    for text in texts:
        entries = tuple(Entry(each.encode(), 0.0) for each in reversed(text))
        assert "".join(part.text for part in splitter.split(Chunk(text, entries=entries))) == text


def test_where_bytes_do_not_add_up_the_last_token_gets_the_text_and_nothing_is_called_special() -> None:
    entries = (Entry(b" Hel", -1.0), Entry(b"lo", -2.0))
    parts = Splitter().split(Chunk("Hello", ids=(7, 8), entries=entries))
    assert [(part.id, part.text, part.special) for part in parts] == [(7, "", False), (8, "Hello", False)]


def test_an_end_token_merged_with_a_text_is_special_and_has_none_of_it() -> None:
    entries = (Entry(b"lo", -1.0), Entry(b"<|im_end|>", -2.0))
    parts = Splitter().split(Chunk("lo", ids=(7, 2), entries=entries, finish="eos_token"))
    assert [(part.id, part.text, part.special) for part in parts] == [(7, "lo", False), (2, "", True)]


def test_tokens_that_were_only_counted_come_before_the_told_one_and_nothing_is_known_of_them() -> None:
    (unknown, told) = Splitter().split(Chunk("é", ids=(9,), entries=(Entry(b"\xa9", -0.5),), count=2))
    assert (unknown.id, unknown.text, unknown.entry) == (None, "", None)
    assert (told.id, told.text) == (9, "é")


def test_a_chunk_without_ids_counts_or_log_probabilities_is_one_token_if_it_has_text() -> None:
    splitter = Splitter()
    assert [part.text for part in splitter.split(Chunk("Hello there"))] == ["Hello there"]
    assert splitter.split(Chunk("", count=1)) == []
