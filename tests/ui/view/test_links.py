"""Links into the page."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.errors import BadRequest
from demo.trace import Trace, write_fragment
from demo.ui.view.links import Shared, read_link, write_link
from demo.ui.view.options import DEFAULTS, Position
from tests.traces import make_trace

POSITIONS = st.tuples(
    st.integers(1, 1024),
    st.sampled_from([0, 0.7, 2]),
    st.sampled_from([0.05, 0.9, 1]),
    st.integers(0, 100),
    st.sampled_from([1, 1.1, 2]),
    st.sampled_from([-2, 0, 0.5]),
    st.sampled_from(["", "7", "123456"]),
    st.sampled_from([0, 100, 30]),
)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=50), POSITIONS)
def test_a_link_brings_back_the_prompt_and_every_dial(prompt: str, positions: tuple[Position, ...]) -> None:
    read = read_link(write_link(Shared(prompt, positions)))
    assert isinstance(read, Shared)
    assert (read.prompt, tuple(read.positions)) == (prompt, positions)


def test_only_what_was_turned_is_in_it() -> None:
    assert write_link(Shared("Hi", tuple(DEFAULTS.values()))) == "prompt=Hi"
    turned = {**DEFAULTS, "pace": 100}
    assert write_link(Shared("Hi", tuple(turned.values()))) == "prompt=Hi&pace=100"


def test_what_is_for_the_browser_is_left_to_it() -> None:
    assert read_link("station=3&present=1") is None
    assert read_link("") is None
    read = read_link("prompt=Hi&station=3")
    assert isinstance(read, Shared)
    assert read.prompt == "Hi"


def test_a_recorded_run_is_brought_whole() -> None:
    trace = read_link(f"trace={write_fragment(make_trace())}&present=1")
    assert isinstance(trace, Trace)
    assert trace.question == "What is cheese?"


@pytest.mark.parametrize(
    ("fragment", "said"),
    [
        ("prompt=Hi&wings=2", "sets wings, which is no dial"),
        ("length=soon", "length to 'soon': it must be from 1 to 1024"),
        ("length=0", "length to '0': it must be from 1 to 1024"),
        ("length=nan", "length"),
        ("pace=7", "pace to '7': it must be one of 0, 100, 30"),
        ("top_p=-1", "top_p"),
        ("temperature=-1", "temperature to"),
        ("seed=x", "seed is x"),
        ("prompt=" + "a" * 20_001, "longer than"),
        ("trace=AAAA", "copy it again"),
        ("&".join(f"a{number}=1" for number in range(30)), "copy it again"),
    ],
)
def test_a_link_that_was_tampered_with_is_one_sentence(fragment: str, said: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        read_link(fragment)
    assert said in str(refusal.value)


@given(st.text(max_size=60))
def test_whatever_stands_after_the_hash_is_at_worst_a_sentence(text: str) -> None:
    with suppress(BadRequest):
        assert read_link(text) is None or isinstance(read_link(text), Shared)
