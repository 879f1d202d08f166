"""Stop strings are cut, across tokens and parts of characters; one that only begins changes nothing."""

from itertools import accumulate, pairwise, takewhile

from hypothesis import example, given, settings
from hypothesis import strategies as st

from demo.engines.held_tokens import HeldTokens
from demo.events import Token
from tests.engines.endpoint.test_chunk import read_texts

drawn = settings(max_examples=80, database=None, derandomize=True)
TEXTS = st.text("ab€☃", max_size=12)
SIZES = st.lists(st.integers(1, 4), min_size=40, max_size=40)
STOPS = st.lists(st.text("ab€☃", min_size=1, max_size=4), max_size=3)


def make_tokens(text: str, sizes: list[int]) -> list[Token]:
    """Tokens of so many bytes each, as an engine elsewhere tells them: none ends inside a character that is shown."""
    ends = [*takewhile(lambda end: end < len(text.encode()), accumulate(sizes)), len(text.encode())]
    raws = [text.encode()[begin:end] for begin, end in pairwise([0, *ends])]
    return [
        Token(float(number), number, number, shown, -0.5, False, (), None if raw == shown.encode() else raw)
        for number, (raw, shown) in enumerate(zip(raws, read_texts(raws), strict=True), 1)
    ]


@drawn
@given(TEXTS, SIZES, STOPS)
@example("a€", [2, 1, 1], ["€"])
@example("€☃", [1] * 6, ["☃"])
def test_the_text_ends_before_the_first_stop_string_and_without_one_every_token_is_as_it_came(
    text: str, sizes: list[int], stops: list[str]
) -> None:
    held, shown = HeldTokens(stops), list[Token]()
    for token in (tokens := make_tokens(text, sizes)):
        released, match = held.feed(token)
        shown += released
        if match:
            break
    else:
        shown += held.flush()
    ends = [(text.index(stop) + len(stop), text.index(stop)) for stop in stops if stop in text]
    if not ends:
        assert shown == tokens
        return
    # The stop string that is complete first ends the answer; of those complete with the same token, the earliest.
    read = len("".join(token.text for token in tokens[: len(shown)]))
    start = min(start for end, start in ends if end <= read)
    assert match is not None
    assert "".join(token.text for token in shown) == text[:start]
    assert b"".join(token.encode() for token in shown) == text[:start].encode()
    assert [token.id for token in shown] == [token.id for token in tokens[: len(shown)]]


def test_only_tokens_in_which_a_stop_string_may_begin_wait() -> None:
    held = HeldTokens(["<end>"])
    first, second, third = make_tokens("Hi <eh", [2, 3, 1])
    assert held.feed(first) == ((first,), None)
    assert held.feed(second) == ([], None)
    assert held.feed(third) == ([second, third], None)


def test_what_is_told_to_be_reasoning_is_cut_with_the_text() -> None:
    (token,), match = HeldTokens(["b"]).feed(Token(1.0, 1, 1, "aab", -0.5, False, reasoned=3))
    assert match is not None
    assert (token.text, token.reasoned) == ("aa", 2)
