"""The search of a text for control tokens, which looks first for the characters that all of them share."""

from hypothesis import given, settings
from hypothesis import strategies as st

from demo.api.dialects.plain_prompt import holds_any

TEXTS = st.text("<|ab>", max_size=12)


@settings(max_examples=40)
@given(TEXTS, st.frozensets(st.text("<|ab>", min_size=1, max_size=3), max_size=4))
def test_a_text_holds_a_token_exactly_where_a_plain_search_finds_one(text: str, tokens: frozenset[str]) -> None:
    assert holds_any(text, tokens) == any(token in text for token in tokens)
