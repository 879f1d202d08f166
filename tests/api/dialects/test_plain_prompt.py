"""Plain text as an instruct model reads it: a user's message, on every route that takes a text, unless it is raw."""

from dataclasses import replace
from typing import Any

import pytest

from demo.engine import PlainPrompts, Ready, Status
from demo.request import Message, Prompt
from tests.api.client import ask, fix, parse, post
from tests.api.script import AnsweringEngine, open_api
from tests.scripted import CARD

END = "<|end|>"
ASKED: Prompt = (Message("user", "hi"),)
NATIVE = ("/", "/generate", "/generate_stream", "/jobs")
PLACES: list[tuple[str, dict[str, Any]]] = [
    *((path, {"inputs": "hi", "parameters": {"raw": ...}}) for path in NATIVE),
    *((path, {"inputs": "hi", "raw": ...}) for path in NATIVE),
    ("/v1/completions", {"prompt": "hi", "raw": ...}),
]


class InstructEngine(AnsweringEngine):
    """Has a chat template, with END as its control token."""

    def __init__(self, plain_prompts: PlainPrompts = "chat") -> None:
        super().__init__()
        self.card = replace(CARD, plain_prompts=plain_prompts, control_tokens=frozenset({END}))

    @property
    def status(self) -> Status:
        return Ready(self.card)


def fill(body: dict[str, Any], raw: bool | None) -> dict[str, Any]:
    """`raw` where the body has a place for it."""
    return {
        name: fill(value, raw) if isinstance(value, dict) else raw if value is ... else value
        for name, value in body.items()
    }


def read_prompts(engine: AnsweringEngine, path: str, body: dict[str, Any]) -> list[Prompt]:
    """What the engine is asked."""
    response = ask(open_api(engine), "POST", path, json=body)
    assert response.status_code in (200, 202), response.text
    return [request.prompt for request in engine.requests]


@pytest.mark.parametrize(("path", "body"), PLACES, ids=str)
@pytest.mark.parametrize("plain_prompts", ["chat", "raw"])
def test_the_request_or_else_the_server_decides_how_its_text_is_read(
    path: str, body: dict[str, Any], plain_prompts: PlainPrompts
) -> None:
    asked: dict[bool | None, Prompt] = {True: "hi", False: ASKED, None: "hi" if plain_prompts == "raw" else ASKED}
    for raw, prompt in asked.items():
        assert read_prompts(InstructEngine(plain_prompts), path, fill(body, raw)) == [prompt]


@pytest.mark.parametrize("raw", [None, False])
def test_a_text_with_control_tokens_is_left_as_it_is(raw: bool | None) -> None:
    text = f"hi{END}"
    assert read_prompts(InstructEngine(), "/generate", {"inputs": text, "raw": raw}) == [text]
    several = read_prompts(InstructEngine(), "/v1/completions", {"prompt": ["hi", text], "raw": raw})
    assert several == [ASKED, text]


def test_parameters_come_before_what_stands_beside_them() -> None:
    body = {"inputs": "hi", "raw": False, "parameters": {"raw": True}}
    assert read_prompts(InstructEngine(), "/generate", body) == ["hi"]


@pytest.mark.parametrize("raw", [True, False])
def test_the_full_text_begins_with_what_was_sent(raw: bool) -> None:
    reply = post(open_api(InstructEngine()), "/generate", parameters={"return_full_text": True, "raw": raw})
    assert fix(reply) == '{"generated_text":"hiHéllo"}'


@pytest.mark.parametrize("plain_prompts", ["chat", "raw"])
def test_info_reports_how_plain_text_is_read(plain_prompts: PlainPrompts) -> None:
    assert ask(open_api(InstructEngine(plain_prompts)), "GET", "/info").json()["plain_prompts"] == plain_prompts


def test_the_tokens_of_a_text_are_those_of_the_text_alone() -> None:
    reply = parse(post(open_api(InstructEngine()), "/tokenize").content)
    assert "".join(token["text"] for token in reply) == "hi"
