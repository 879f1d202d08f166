"""Stop strings are cut here, across tokens; one that only begins changes nothing."""

from hypothesis import given, settings
from hypothesis import strategies as st

from demo.engines.endpoint.stop_cutter import StopCutter
from demo.events import Token

drawn = settings(max_examples=80, database=None, derandomize=True)
PIECES = st.lists(st.text("ab", max_size=3), max_size=8)
STOPS = st.lists(st.text("ab", min_size=1, max_size=4), max_size=3)


def make_tokens(pieces: list[str]) -> list[Token]:
    return [Token(float(index), index, index, piece, -0.5, False) for index, piece in enumerate(pieces, 1)]


@drawn
@given(PIECES, STOPS)
def test_the_text_ends_before_the_first_stop_string_and_without_one_every_token_is_as_it_came(
    pieces: list[str], stops: list[str]
) -> None:
    cutter, shown = StopCutter(stops), list[Token]()
    for token in (tokens := make_tokens(pieces)):
        shown += cutter.feed(token)
        if cutter.found:
            break
    else:
        shown += cutter.flush()
    whole = "".join(pieces)
    ends = [(whole.index(stop) + len(stop), whole.index(stop)) for stop in stops if stop in whole]
    if not ends:
        assert shown == tokens
        return
    # The stop string that is complete first ends the answer; of those complete with the same token, the earliest.
    read = len("".join(token.text for token in tokens[: len(shown)]))
    start = min(start for end, start in ends if end <= read)
    assert cutter.found
    assert "".join(token.text for token in shown) == whole[:start]
    assert [token.id for token in shown] == [token.id for token in tokens[: len(shown)]]


def test_only_tokens_in_which_a_stop_string_may_begin_wait() -> None:
    cutter = StopCutter(["<end>"])
    first, second, third = make_tokens(["Hi", " <e", "h"])
    assert cutter.feed(first) == [first]
    assert cutter.feed(second) == []
    assert cutter.feed(third) == [second, third]
