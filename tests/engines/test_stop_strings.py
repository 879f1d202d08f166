"""A stop string is found wherever the pieces of a text are cut, and no text that may be one is certain."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from demo.engines.stop_strings import Match, StopStrings

stop_lists = st.lists(st.text(alphabet="ab\n", min_size=1, max_size=4), max_size=4)
chunks = st.lists(st.text(alphabet="ab\n", max_size=3), max_size=20)


@given(stop_lists, chunks)
@example(["abc"], ["xa", "b", "c"])
@example(["b", "ab"], ["ab"])
@example(["abab"], ["a", "bab", "ab"])
@example(["aab"], list("aaab"))
@example(["\n\nab"], ["a\n", "\n", "\na", "b"])
@example(["ab\na", "b\nb"], list("ab\nb"))
@example(["bbb", "abbbb"], list("abbb"))
def test_exactly_the_text_that_may_begin_a_stop_string_is_uncertain(stops: list[str], chunks: list[str]) -> None:
    scanner, text = StopStrings(stops), ""
    for chunk in chunks:
        match = scanner.feed(chunk)
        text += chunk
        hits = [Match(at, stop) for stop in stops if (at := text.find(stop)) >= 0]
        if match is not None:
            assert match in hits
            assert match.start == min(hits)[0]
            return
        assert not hits
        begun = [size for stop in stops for size in range(len(stop)) if text.endswith(stop[:size])]
        assert scanner.certain == len(text) - max(begun, default=0)


@pytest.mark.parametrize("length", [1, 3, 4000])
def test_text_becomes_certain_where_it_does_not_become_the_stop_string(length: int) -> None:
    scanner = StopStrings(["ab" * length + "c", "bd"])
    assert [scanner.feed(character) for character in "ab" * length] == [None] * 2 * length
    assert scanner.certain == 0
    assert (scanner.feed("ab"), scanner.certain) == (None, 2)
    assert scanner.feed("d") == Match(2 * length + 1, "bd")
