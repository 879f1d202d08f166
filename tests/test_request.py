from typing import Any

import pytest

from demo.errors import BadRequest
from demo.request import Message, Prompt, Request, Sampling, find_begun

NAN, INFINITE = float("nan"), float("inf")
SAMPLING_LIMITS: dict[str, list[Any]] = {
    "temperature": [0.0, -1.0, NAN, INFINITE, 1e-50, 1e39],
    "top_k": [0, -5, 2**70],
    "top_p": [0.0, 1.0, NAN],
    "typical_p": [0.0, 1.5],
    "min_p": [0.0, -0.1, 1.1, NAN],
    "repetition_penalty": [0.0, INFINITE, 1e-300],
    "frequency_penalty": [-2.1, 2.1, NAN],
    "seed": [-1, 2**64],
}
REQUEST_LIMITS: dict[str, list[Any]] = {
    "max_new_tokens": [0, -3, 2**70],
    "truncate": [2**70],
    "stop": [("a", "")],
    "top_n_tokens": [-1, 6],
    "pace": [0.0, -30.0, 1e-300, NAN, INFINITE],
}


def is_one_sentence(text: str) -> bool:
    return "\n" not in text and text.endswith(".") and text.count(". ") == 0


def list_cases(limits: dict[str, list[Any]]) -> list[tuple[str, Any]]:
    return [(name, value) for name, values in limits.items() for value in values]


@pytest.mark.parametrize(("name", "value"), list_cases(SAMPLING_LIMITS | REQUEST_LIMITS))
def test_a_parameter_out_of_range_is_one_sentence_naming_it_and_its_value(name: str, value: Any) -> None:
    with pytest.raises(BadRequest) as refusal:
        Sampling(**{name: value}) if name in SAMPLING_LIMITS else Request("hello", **{name: value})
    assert str(refusal.value).startswith(f"{name} is {value}: it must be ")
    assert is_one_sentence(str(refusal.value))


@pytest.mark.parametrize(
    ("prompt", "stop", "words"),
    [
        ("hello", ("a", "b", "c", "d", "e"), "stop is 5: it must be at most 4"),
        ("", (), "prompt is empty"),
        ((), (), "prompt is empty"),
        ("a\ud800", (), "half a character"),
        ((Message("user", "\udfff"),), (), "half a character"),
    ],
)
def test_a_bad_request_says_why(prompt: Any, stop: tuple[str, ...], words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        Request(prompt, stop=stop)


@pytest.mark.parametrize(
    "at_the_limit",
    [
        Sampling(temperature=1e-3, top_k=1, top_p=0.001, typical_p=0.999, seed=0),
        Sampling(min_p=1.0),
        Sampling(frequency_penalty=-2.0, seed=2**64 - 1),
        Sampling(frequency_penalty=2.0, repetition_penalty=0.01),
    ],
)
def test_values_at_the_limits_are_accepted(at_the_limit: Sampling) -> None:
    request = Request("🧀", max_new_tokens=1, sampling=at_the_limit, stop=("a", "b", "c", "d"), top_n_tokens=5)
    assert request.sampling == at_the_limit


WARPERS = {"do_sample": True, "temperature": 0.7, "top_k": 50, "top_p": 0.9, "typical_p": 0.9, "min_p": 0.1}
OTHERS = {"repetition_penalty": 1.3, "frequency_penalty": 1.0, "seed": 7}


@pytest.mark.parametrize(("name", "value"), (WARPERS | OTHERS).items())
def test_any_warper_alone_makes_the_choice_random_as_in_tgi_and_nothing_else_does(name: str, value: Any) -> None:
    assert Sampling(**{name: value}).is_random == (name in WARPERS)
    assert not Sampling().is_random


@pytest.mark.parametrize(
    ("prompt", "begun"),
    [
        ("Once", ""),
        ((Message("user", "Hi"),), ""),
        ((Message("assistant", "Yes"), Message("user", "Hi")), ""),
        ((Message("user", "Hi"), Message("assistant", "Yes"), Message("assistant", "No")), "No"),
    ],
)
def test_a_conversation_that_ends_with_an_answer_begins_the_next(prompt: Prompt, begun: str) -> None:
    assert find_begun(prompt) == begun
