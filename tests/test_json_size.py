"""How much there is to parse is known from the bytes, however they arrive."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.json_size import MAX_ESCAPES, MAX_VALUES, JsonSize, measure_json

DOCUMENTS: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers() | st.text(alphabet='ab,[{"\\é\n') | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(alphabet='a,"\\'), inner),
)


def count_marks(value: Any) -> int:
    """The commas and opening brackets outside of strings."""
    if not isinstance(value, dict | list):
        return 0
    inner = value.values() if isinstance(value, dict) else value
    return 1 + max(len(value) - 1, 0) + sum(map(count_marks, inner))


@given(DOCUMENTS, st.booleans(), st.integers(1, 9))
def test_values_are_counted_outside_of_strings_wherever_the_pieces_are_cut(
    document: Any, ascii: bool, length: int
) -> None:
    text, size = json.dumps(document, ensure_ascii=ascii).encode(errors="replace"), JsonSize()
    for at in range(0, len(text), length):
        size.feed(text[at : at + length])
    assert size.values == count_marks(document)
    assert size.escapes == text.count(b"\\")


@pytest.mark.parametrize(
    ("text", "excess"),
    [
        ("[" + "0," * (MAX_VALUES - 1) + "0]", None),
        ("[" + "0," * MAX_VALUES + "0]", f"more than {MAX_VALUES} JSON values"),
        (json.dumps(",[{" * MAX_VALUES), None),
        (json.dumps("\n" * MAX_ESCAPES), None),
        (json.dumps("\n" * (MAX_ESCAPES + 1)), f"more than {MAX_ESCAPES} escaped characters"),
    ],
    ids=["values", "too many values", "a text of marks", "escapes", "too many escapes"],
)
def test_too_much_is_named_with_its_limit(text: str, excess: str | None) -> None:
    assert measure_json(text).find_excess() == excess
