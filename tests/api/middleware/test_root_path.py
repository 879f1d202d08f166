"""Below a path: proxies that strip it and proxies that pass it on get the same replies, with addresses below it."""

import pytest
from fastapi import FastAPI

from demo.settings import Settings
from tests.api.client import MINIMAL, ask, fix, post
from tests.api.script import open_api

HEADER = {"X-Forwarded-Prefix": "/demo"}


@pytest.mark.parametrize("path", MINIMAL)
@pytest.mark.parametrize("prefix", ["", "/demo"])
def test_the_path_may_be_stripped_or_passed_on(app: FastAPI, path: str, prefix: str) -> None:
    proxied = ask(app, "POST", prefix + path, json=MINIMAL[path], headers=HEADER)
    assert fix(proxied) == fix(post(app, path))
    assert proxied.headers["x-request-id"]


def test_without_a_slash_a_post_is_answered_and_a_get_is_sent_to_the_page(app: FastAPI) -> None:
    assert ask(app, "POST", "/demo", json=MINIMAL["/"], headers=HEADER).json() == post(app, "/").json()
    sent = ask(app, "GET", "/demo?__theme=dark", headers=HEADER)
    assert (sent.status_code, sent.headers["Location"]) == (308, "/demo/?__theme=dark")


def test_what_the_operator_sets_wins_over_the_header() -> None:
    below = open_api(settings=Settings(root_path="/team/demo"))
    for path in ("/jobs", "/team/demo/jobs"):
        begun = ask(below, "POST", path, json=MINIMAL["/"], headers=HEADER)
        assert begun.headers["Location"].startswith("/team/demo/jobs/")
    assert ask(below, "GET", "/demo/health", headers=HEADER).status_code == 404


def test_the_document_names_the_path_and_not_that_of_another_request(app: FastAPI) -> None:
    document = ask(app, "GET", "/demo/openapi.json", headers=HEADER).json()
    assert document["servers"] == [{"url": "/demo"}]
    assert "servers" not in ask(app, "GET", "/openapi.json").json()


@pytest.mark.parametrize(
    "prefix", ["demo", "//evil.example", "/a b", "/a/../b\\", "/", "/<script>", "https://a.example/x"]
)
def test_a_header_that_is_no_plain_path_is_passed_over(app: FastAPI, prefix: str) -> None:
    begun = ask(app, "POST", "/jobs", json=MINIMAL["/"], headers={"X-Forwarded-Prefix": prefix})
    assert begun.headers["Location"].startswith("/jobs/")


def test_a_path_that_only_begins_like_it_is_another(app: FastAPI) -> None:
    assert ask(app, "GET", "/demonstration", headers=HEADER).json()["error"] == "There is no /demonstration: see /docs."


def test_errors_name_the_path_as_the_routes_know_it_in_their_dialect(app: FastAPI) -> None:
    assert "There is no /nope:" in ask(app, "GET", "/demo/nope", headers=HEADER).json()["error"]
    refused = ask(app, "POST", "/demo/v1/completions", json={}, headers=HEADER)
    assert refused.status_code == 422
    assert refused.json()["error"]["type"] == "validation"


def test_the_key_is_asked_for_below_the_path_too() -> None:
    app = open_api(settings=Settings(root_path="/demo", api_key="secret"))
    for path in ("/generate", "/demo/generate", "/demo", "/"):
        assert ask(app, "POST", path, json=MINIMAL["/"]).status_code == 401
