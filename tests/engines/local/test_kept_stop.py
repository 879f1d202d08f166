"""A stop string that is asked for in the text is its end, and nothing else changes."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.events import Done
from tests.engines.local.test_output import BROKEN, PIECES, read_bytes, read_text, tokens_of, write

streams = st.lists(st.integers(0, len(PIECES) - 1), min_size=1, max_size=12)
stops = st.lists(st.text("ab€☃", min_size=1, max_size=3), min_size=1, max_size=2)


@given(streams, stops)
def test_the_text_ends_with_the_stop_string_and_the_tokens_are_those_without(ids: list[int], stops: list[str]) -> None:
    kept, cut = write(ids, stops, keeps_stop=True), write(ids, stops)
    ends = [log[-1] for log in (kept, cut)]
    assert ends[0] == ends[1]
    assert isinstance(ends[0], Done)
    stop = ends[0].stop
    assert (stop is None) == (ends[0].finish_reason != "stop_sequence")
    assert read_text(tokens_of(kept)) == read_text(tokens_of(cut)) + (stop or "")
    assert [(each.time, each.id) for each in tokens_of(kept)] == [(each.time, each.id) for each in tokens_of(cut)]
    if BROKEN not in read_text(tokens_of(kept)):
        assert read_bytes(tokens_of(kept)).decode() == read_text(tokens_of(kept))


@pytest.mark.parametrize(
    ("stop", "texts"), [("a", ["a"]), ("b", ["a", "b"]), ("ba", ["a", "b", "a"]), ("bab", ["a", "b", "ab"])]
)
def test_a_token_is_cut_behind_the_stop_string(stop: str, texts: Sequence[str]) -> None:
    ids = [PIECES.index(piece) for piece in (b"a", b"b", b"ab", b"a")]
    assert [token.text for token in tokens_of(write(ids, [stop], keeps_stop=True))] == texts
