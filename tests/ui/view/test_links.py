"""Links into the page."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.errors import BadRequest
from demo.trace import write_fragment
from demo.ui.view.links import MAX_ESCAPES, MAX_FRAGMENT, MAX_PROMPT, PromptLink, read_link, write_link
from demo.ui.view.options import DEFAULTS, ControlValue
from tests.traces import make_trace

VALUES = st.tuples(
    st.integers(1, 1024),
    st.sampled_from([0, 0.7, 2]),
    st.sampled_from([0.05, 0.9, 1]),
    st.integers(0, 100),
    st.sampled_from([1, 1.1, 2]),
    st.sampled_from([-2, 0, 0.5]),
    st.sampled_from(["", "7", "123456"]),
    st.sampled_from([0, 100, 30]),
)


def read_prompt(fragment: str) -> PromptLink:
    link = read_link(fragment)
    assert isinstance(link, PromptLink)
    return link


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=50), VALUES)
def test_a_link_restores_the_prompt_and_every_control(prompt: str, values: tuple[ControlValue, ...]) -> None:
    link = read_prompt(write_link(PromptLink(prompt, values)))
    assert (link.prompt, tuple(link.values)) == (prompt, values)
    assert isinstance(link.values[0], int)  # a length of 64.0 tokens is refused


def test_a_link_holds_only_the_controls_that_were_changed() -> None:
    assert write_link(PromptLink("Hi", tuple(DEFAULTS.values()))) == "prompt=Hi"
    assert write_link(PromptLink("Hi", tuple({**DEFAULTS, "pace": 100}.values()))) == "prompt=Hi&pace=100"


def test_the_fields_of_the_pages_scripts_are_left_to_them() -> None:
    assert read_link("station=3&present=1") is None
    assert read_link("") is None
    assert read_prompt("prompt=Hi&station=3").prompt == "Hi"


def test_a_recorded_run_arrives_whole() -> None:
    assert read_link(f"trace={write_fragment(make_trace())}&present=1") == make_trace()


@pytest.mark.parametrize(
    ("fragment", "sentence"),
    [
        ("prompt=Hi&wings=2", "sets wings, which this page does not have"),
        ("prompt=Hi&wings=2&tail=1", "sets tail, wings, which"),
        ("length=soon", "length to 'soon': it must be from 1 to 1024"),
        ("length=0", "length to '0': it must be from 1 to 1024"),
        ("length=1025", "length to '1025': it must be from 1 to 1024"),
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
def test_a_changed_link_is_refused_in_one_sentence(fragment: str, sentence: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        read_link(fragment)
    assert sentence in str(refusal.value)


@given(st.text(max_size=60))
def test_any_fragment_is_read_or_refused_in_one_sentence(text: str) -> None:
    with suppress(BadRequest):
        assert read_link(text) is None or read_prompt(text)


@pytest.mark.parametrize("fragment", ["prompt=" + "a" * MAX_FRAGMENT, "prompt=" + "%41" * (MAX_ESCAPES + 1)])
def test_a_link_that_holds_far_too_much_is_refused_before_it_is_read(fragment: str) -> None:
    with pytest.raises(BadRequest, match="holds too much"):
        read_link(fragment)


def test_the_longest_prompt_is_read_however_it_is_escaped() -> None:
    link = read_link("prompt=" + "%F0%9F%A7%80" * MAX_PROMPT)
    assert isinstance(link, PromptLink)
    assert link.prompt == "🧀" * MAX_PROMPT
