"""`max_tokens_per_second`: every route that generates asks the engine for it, or refuses it in its dialect's words."""

from typing import Any

import pytest

from tests.api.client import MINIMAL, ask, assert_refused
from tests.api.script import AnsweringEngine, open_api

ROUTES = ("/", "/generate", "/generate_stream", "/jobs", "/v1/chat/completions", "/v1/completions")
NATIVE = {"/jobs": {"inputs": "hi"}, **MINIMAL}

every_route = pytest.mark.parametrize("path", ROUTES)


def write_body(path: str, rate: Any) -> dict[str, Any]:
    asked = {"max_tokens_per_second": rate}
    return {**NATIVE[path], **(asked if path.startswith("/v1/") else {"parameters": asked})}


@every_route
@pytest.mark.parametrize(("given", "pace"), [(30, 30.0), (0.5, 0.5), (None, None)])
def test_the_engine_is_asked_for_that_pace(path: str, given: float | None, pace: float | None) -> None:
    engine = AnsweringEngine()
    assert ask(open_api(engine), "POST", path, json=write_body(path, given)).is_success
    assert [request.pace for request in engine.requests] == [pace]


@every_route
@pytest.mark.parametrize("given", ["0", "-1", '"30"', "true", "[30]", "1e999", "NaN"])
def test_what_is_no_rate_is_refused(path: str, given: str) -> None:
    text = str(write_body(path, 0)).replace("'", '"').replace('second": 0', f'second": {given}')
    response = ask(open_api(), "POST", path, content=text, headers={"content-type": "application/json"})
    assert_refused(response, path, 422, "validation", "max_tokens_per_second")
