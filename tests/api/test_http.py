"""HTTP as clients and proxies write it: slashes, HEAD, compressed bodies."""

import gzip
import json
import zlib

import pytest
from fastapi import FastAPI

from demo.api.middleware.body_limit import MAX_BODY_BYTES
from tests.api.client import MINIMAL, ask, assert_refused, send_pieces
from tests.api.script import AnsweringEngine, open_api
from tests.api.visit import Visit

BODY = json.dumps({"inputs": "hi"}).encode()
GZIPPED = gzip.compress(BODY, mtime=0)


@pytest.mark.parametrize("path", ["/health", "/ping", "/info", "/v1/models", "/v1/models/", "/metrics", "/docs"])
def test_head_answers_as_get_without_a_body(path: str, app: FastAPI) -> None:
    got, head = ask(app, "GET", path), ask(app, "HEAD", path)
    assert head.status_code == got.status_code == 200
    assert head.content == b""
    assert head.headers["content-type"] == got.headers["content-type"]
    if path != "/metrics":  # whose length grows
        assert head.headers["content-length"] == got.headers["content-length"]


def test_head_of_a_route_without_get_names_the_methods(app: FastAPI) -> None:
    assert ask(app, "HEAD", "/generate").headers["allow"] == "POST"


@pytest.mark.anyio
async def test_head_of_a_stream_ends_with_its_headers(app: FastAPI) -> None:
    visit = Visit(app, "/faults/pause", b"", method="HEAD").start()
    await visit.until(lambda: len(visit.sent) == 2)
    await visit.hang_up()  # as a server says of a reply that is complete
    assert visit.status == 200
    assert visit.body == b""


@pytest.mark.parametrize(
    "path", ["//generate", "/generate/", "/generate//", "//v1//chat/completions/", "/v1/completions/"]
)
def test_double_and_trailing_slashes_reach_the_route_that_is_meant(path: str, app: FastAPI) -> None:
    meant = "/" + "/".join(filter(None, path.split("/")))
    response = ask(app, "POST", f"http://test{path}", json=MINIMAL[meant])
    assert response.status_code == 200
    assert not response.history


def deflate(data: bytes, window: int) -> bytes:
    compress = zlib.compressobj(wbits=window)
    return compress.compress(data) + compress.flush()


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", GZIPPED),
        ("GZIP", GZIPPED),
        ("x-gzip", gzip.compress(BODY[:5], mtime=0) + gzip.compress(BODY[5:], mtime=0)),
        ("deflate", deflate(BODY, zlib.MAX_WBITS)),
        ("deflate", deflate(BODY, -zlib.MAX_WBITS)),
        ("identity", BODY),
    ],
)
def test_a_compressed_body_is_read(coding: str, body: bytes) -> None:
    engine = AnsweringEngine()
    app = open_api(engine)
    response = ask(app, "POST", "/generate", content=body, headers={"content-encoding": coding})
    assert response.status_code == 200, response.text
    assert engine.requests[0].prompt == "hi"


def test_a_compressed_body_may_come_byte_by_byte(app: FastAPI) -> None:
    pieces = send_pieces(GZIPPED, 1)
    assert ask(app, "POST", "/generate", content=pieces, headers={"content-encoding": "gzip"}).status_code == 200


def test_what_is_inflated_is_limited_and_not_what_is_sent(app: FastAPI) -> None:
    bomb = gzip.compress(b'{"inputs": "' + b"a" * 10 * MAX_BODY_BYTES + b'"}', 9, mtime=0)
    assert len(bomb) < MAX_BODY_BYTES / 50
    response = ask(app, "POST", "/generate", content=bomb, headers={"content-encoding": "gzip"})
    assert_refused(response, "/generate", 413, "too_large", str(MAX_BODY_BYTES))
    values = gzip.compress(b"[" + b"1," * 20_000 + b"1]", mtime=0)
    response = ask(app, "POST", "/generate", content=values, headers={"content-encoding": "gzip"})
    assert_refused(response, "/generate", 413, "too_large", "JSON values")


def test_blocks_that_hold_nothing_are_limited_too(app: FastAPI) -> None:
    pieces = send_pieces(gzip.compress(b"", mtime=0) * (MAX_BODY_BYTES // 20 + 1), 65_536)
    response = ask(app, "POST", "/generate", content=pieces, headers={"content-encoding": "gzip"})
    assert_refused(response, "/generate", 413, "too_large", str(MAX_BODY_BYTES))


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", BODY),
        ("gzip", GZIPPED[:-4]),
        ("gzip", b""),
        ("deflate", deflate(BODY, zlib.MAX_WBITS) + b"more"),
        ("gzip", GZIPPED + b"more"),
    ],
)
def test_a_body_that_is_not_in_its_coding_is_refused(coding: str, body: bytes, app: FastAPI) -> None:
    response = ask(app, "POST", "/generate", content=body, headers={"content-encoding": coding})
    assert_refused(response, "/generate", 422, "validation", f"the body is not in {coding}")


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "compress"])
def test_another_coding_is_refused_with_those_that_are_read(coding: str, app: FastAPI) -> None:
    response = ask(app, "POST", "/v1/completions", content=BODY, headers={"content-encoding": coding})
    assert_refused(response, "/v1/completions", 415, "unsupported_media_type", "gzip or deflate")
    assert response.headers["accept-encoding"] == "gzip, deflate"
