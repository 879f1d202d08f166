from typing import Any

import pytest

from demo.errors import BadRequest
from demo.request import Message, Request, Sampling

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


def test_too_many_stop_strings_are_counted_in_the_error() -> None:
    with pytest.raises(BadRequest, match="stop is 5: it must be at most 4"):
        Request("hello", stop=("a", "b", "c", "d", "e"))


@pytest.mark.parametrize("prompt", ["", ()])
def test_an_empty_prompt_is_a_bad_request(prompt: Any) -> None:
    with pytest.raises(BadRequest, match="prompt is empty"):
        Request(prompt)


@pytest.mark.parametrize("prompt", ["a\ud800", (Message("user", "\udfff"),)])
def test_half_a_character_in_the_prompt_is_a_bad_request(prompt: Any) -> None:
    with pytest.raises(BadRequest, match="half a character"):
        Request(prompt)


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


@pytest.mark.parametrize(
    "warper",
    [{"do_sample": True}, {"temperature": 0.7}, {"top_k": 50}, {"top_p": 0.9}, {"typical_p": 0.9}, {"min_p": 0.1}],
)
def test_any_warper_makes_the_choice_random_as_in_tgi(warper: dict[str, Any]) -> None:
    assert Sampling(**warper).is_random


@pytest.mark.parametrize("more", [{}, {"repetition_penalty": 1.3}, {"frequency_penalty": 1.0}, {"seed": 7}])
def test_penalties_and_a_seed_alone_leave_the_choice_greedy_as_in_tgi(more: dict[str, Any]) -> None:
    assert not Sampling(**more).is_random


def test_a_bad_request_carries_tgis_error_type() -> None:
    assert BadRequest("x").kind == "validation"
