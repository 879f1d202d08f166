"""Whatever is sent, the answer comes, its status is documented, and its body is what clients can read."""

import asyncio
import json
from functools import cache, partial
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from demo.engines import simulated_faults
from tests.api.client import MINIMAL, PATIENCE, make_validator, parse, read_events
from tests.api.script import ENDED, HELD_BACK, HELLO, RANKED, AnsweringEngine, open_api
from tests.api.visit import Visit

APP = open_api(AnsweringEngine(HELLO, RANKED, HELD_BACK, ENDED), has_rooms=True)
DOCUMENT = APP.openapi()
find_validator = cache(partial(make_validator, DOCUMENT))
SCHEMA: Any = schemathesis.openapi.from_asgi("/openapi.json", APP)
OPERATIONS = {f"{each.ok().method.upper()} {each.ok().path}": each.ok() for each in SCHEMA.get_all_operations()}
patient = settings(max_examples=30, database=None, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulated faults without their pauses."""
    monkeypatch.setattr(simulated_faults, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(simulated_faults, "GAP_SECONDS", 0.0)


def check(status: int, content_type: str, body: bytes, documented: set[int]) -> None:
    """A documented status, and a body in one of the shapes that clients read."""
    assert status in documented, (status, body)
    if status == 204:
        assert not body
    elif status >= 400:
        error = parse(body)
        assert set(error) == {"error", "error_type"}
        text = error["error"] if isinstance(error["error"], str) else error["error"]["message"]
        assert text
        assert isinstance(error["error"], str) or error["error"]["code"] == status
    elif content_type.startswith("text/event-stream"):
        assert read_events(body)
    elif content_type.startswith("application/json"):
        parse(body)
    else:
        assert content_type.startswith("text/")


@pytest.mark.parametrize(
    ("mode", "name"),
    [
        *((GenerationMode.POSITIVE, name) for name in OPERATIONS),
        *((GenerationMode.NEGATIVE, name) for name, operation in OPERATIONS.items() if operation.body),
    ],
    ids=str,
)
def test_requests_that_follow_the_document_and_bodies_that_do_not_are_answered(mode: GenerationMode, name: str) -> None:
    method, _, path = name.partition(" ")
    documented = {int(status) for status in DOCUMENT["paths"][path][method.lower()]["responses"]}

    @settings(patient, max_examples=30 if OPERATIONS[name].body else 10)
    @given(case=OPERATIONS[name].as_strategy(generation_mode=mode))
    def send(case: Any) -> None:
        response = case.call(timeout=PATIENCE)
        status, content_type = response.status_code, response.headers.get("content-type", [""])[0]
        check(status, content_type, response.content, documented)
        if response.content and status < 300 and content_type == "application/json":
            find_validator(path, method.lower(), status).validate(parse(response.content))

    send()


def call(path: str, method: str, body: bytes, content_type: str = "application/json") -> tuple[int, str, bytes]:
    """One request in ASGI's own messages, to any path that a server may decode."""

    async def request() -> Visit:
        return await Visit(APP, path, body, {"content-type": content_type}, method).start().until_ended()

    visit = asyncio.run(request())
    return visit.status or 0, visit.headers.get("content-type", ""), visit.body


FIELDS = sorted(
    {field for schema in DOCUMENT["components"]["schemas"].values() for field in schema.get("properties", {})}
)
numbers = st.integers() | st.floats() | st.sampled_from([10**400, -(10**400), 2**63, 2**64, -1, 0, 1, 0.0, -0.0])
texts = st.text(max_size=10) | st.sampled_from(["\ud800", "\x00", "user", "text", "\udfff\ud800"])
junk = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(FIELDS) | texts, inner, max_size=5),
    max_leaves=12,
)
POSSIBLE = {200, 201, 202, 204, 400, 404, 405, 413, 422, 429}  # a room is opened; too many are


@pytest.mark.parametrize("path", MINIMAL)
def test_junk_in_known_fields_is_answered_or_refused(path: str) -> None:
    # `parameters` and `messages` get junk of their own; the rest of the body is as it should be.
    @settings(patient, max_examples=30)
    @given(
        values=st.dictionaries(st.sampled_from(FIELDS), junk, max_size=4),
        inner=st.dictionaries(st.sampled_from(FIELDS), junk),
    )
    def send(values: dict[str, Any], inner: dict[str, Any]) -> None:
        body = {**MINIMAL[path], "parameters": inner, **values}
        check(*call(path, "POST", json.dumps(body).encode()), {200, 422})

    send()


@settings(patient, max_examples=60)
@given(
    path=st.sampled_from(sorted(MINIMAL)),
    body=st.binary(max_size=60) | junk.map(lambda value: json.dumps(value).encode()),
    content_type=st.sampled_from(["application/json", "text/plain", "", "application/x-www-form-urlencoded", "é/;;="]),
)
def test_junk_bodies_are_refused(path: str, body: bytes, content_type: str) -> None:
    check(*call(path, "POST", body, content_type), POSSIBLE)


@settings(patient, max_examples=60)
@given(
    path=st.text(max_size=20).map(lambda text: "/" + text) | st.sampled_from(sorted(DOCUMENT["paths"])),
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "BREW"]),
)
def test_junk_paths_and_methods_are_refused(path: str, method: str) -> None:
    status, content_type, body = call(path, method, b"{}")
    if method == "HEAD" or status == 307:
        return
    check(status, content_type, body, POSSIBLE)
