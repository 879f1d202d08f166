from typing import Any

import pytest

from demo.errors import BadRequest
from demo.events import Message, Request, Sampling

SAMPLING_LIMITS: list[tuple[str, Any]] = [
    ("temperature", 0.0),
    ("temperature", -1.0),
    ("temperature", float("nan")),
    ("temperature", float("inf")),
    ("temperature", 1e-50),
    ("temperature", 1e39),
    ("repetition_penalty", 1e-300),
    ("top_k", 2**70),
    ("top_k", 0),
    ("top_k", -5),
    ("top_p", 0.0),
    ("top_p", 1.0),
    ("top_p", float("nan")),
    ("typical_p", 0.0),
    ("typical_p", 1.5),
    ("repetition_penalty", 0.0),
    ("repetition_penalty", float("inf")),
    ("frequency_penalty", -2.1),
    ("frequency_penalty", 2.1),
    ("frequency_penalty", float("nan")),
    ("seed", -1),
    ("seed", 2**64),
]
REQUEST_LIMITS: list[tuple[str, Any, str]] = [
    ("max_new_tokens", 0, "0"),
    ("max_new_tokens", -3, "-3"),
    ("max_new_tokens", 2**70, "1180591620717411303424"),
    ("truncate", 2**70, "1180591620717411303424"),
    ("stop", ("a", "b", "c", "d", "e"), "5"),
    ("stop", ("a", ""), "('a', '')"),
    ("top_n_tokens", -1, "-1"),
    ("top_n_tokens", 6, "6"),
    ("pace", 0.0, "0.0"),
    ("pace", -30.0, "-30.0"),
    ("pace", 1e-300, "1e-300"),
    ("pace", float("nan"), "nan"),
    ("pace", float("inf"), "inf"),
]


def is_one_sentence(text: str) -> bool:
    return "\n" not in text and text.endswith(".") and text.count(". ") == 0


@pytest.mark.parametrize(("name", "value"), SAMPLING_LIMITS)
def test_a_sampling_parameter_out_of_range_is_one_sentence_naming_it_and_its_value(name: str, value: Any) -> None:
    with pytest.raises(BadRequest) as refusal:
        Sampling(**{name: value})
    assert str(refusal.value).startswith(f"{name} is {value}: it must be ")
    assert is_one_sentence(str(refusal.value))


@pytest.mark.parametrize(("name", "value", "said"), REQUEST_LIMITS)
def test_a_request_parameter_out_of_range_is_one_sentence_naming_it_and_its_value(
    name: str, value: Any, said: str
) -> None:
    with pytest.raises(BadRequest) as refusal:
        Request("hello", **{name: value})
    assert str(refusal.value).startswith(f"{name} is {said}: it must be ")
    assert is_one_sentence(str(refusal.value))


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
        Sampling(frequency_penalty=-2.0, seed=2**64 - 1),
        Sampling(frequency_penalty=2.0, repetition_penalty=0.01),
    ],
)
def test_values_at_the_limits_are_accepted(at_the_limit: Sampling) -> None:
    request = Request("🧀", max_new_tokens=1, sampling=at_the_limit, stop=("a", "b", "c", "d"), top_n_tokens=5)
    assert request.sampling == at_the_limit


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(do_sample=True),
        Sampling(temperature=0.7),
        Sampling(top_k=50),
        Sampling(top_p=0.9),
        Sampling(typical_p=0.9),
    ],
)
def test_any_warper_makes_the_choice_random_as_in_tgi(sampling: Sampling) -> None:
    assert sampling.is_random


@pytest.mark.parametrize(
    "sampling", [Sampling(), Sampling(repetition_penalty=1.3), Sampling(frequency_penalty=1.0), Sampling(seed=7)]
)
def test_penalties_and_a_seed_alone_leave_the_choice_greedy_as_in_tgi(sampling: Sampling) -> None:
    assert not sampling.is_random


def test_a_bad_request_carries_tgis_error_type() -> None:
    assert BadRequest("x").kind == "validation"
