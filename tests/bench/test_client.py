import socket
from collections.abc import Iterator
from statistics import median

import httpx2
import pytest

from demo.bench.client import (
    Target,
    check_url,
    choose_dialect,
    choose_model,
    measure_request,
    open_client,
)
from demo.bench.dialects import DIALECTS, Ask, Mode
from demo.bench.sample import Unmeasured
from demo.errors import Overloaded
from tests.bench.fake import WORDS, FakeServer, Script, serve

ASK = Ask("m", "Hello", len(WORDS))
NEAR = 0.002  # seconds


@pytest.fixture
def http() -> Iterator[httpx2.Client]:
    with open_client(api_key=None, timeout=10) as http:
        yield http


def target(server: FakeServer, dialect: str = "native") -> Target:
    return Target(server.url, DIALECTS[dialect], ASK)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_ttft_each_token_and_total_agree_with_the_servers_own_stamps(dialect: str) -> None:
    with serve() as server, open_client(None, 10) as http:
        samples = [measure_request(http, target(server, dialect), "streamed") for _ in range(9)]
        replies = list(server.replies)
    late = [s.sent + (s.timeline.ttft or 0) - reply.tokens[0] for s, reply in zip(samples, replies, strict=True)]
    last = [s.sent + s.timeline.tokens[-1] - reply.tokens[-1] for s, reply in zip(samples, replies, strict=True)]
    end = [s.sent + s.total - reply.end[0] for s, reply in zip(samples, replies, strict=True)]
    begun = [reply.begun - s.sent for s, reply in zip(samples, replies, strict=True)]
    for lateness in (late, last, end, begun):
        assert min(lateness) >= 0
        assert median(lateness) < NEAR
    assert all(s.text == "".join(WORDS) and s.count == len(WORDS) for s in samples)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_total_of_a_whole_reply_agrees_with_the_servers_own_stamps(dialect: str) -> None:
    with serve() as server, open_client(None, 10) as http:
        samples = [measure_request(http, target(server, dialect), "whole") for _ in range(9)]
        replies = list(server.replies)
    late = [s.sent + s.total - reply.end[0] for s, reply in zip(samples, replies, strict=True)]
    assert min(late) >= 0
    assert median(late) < NEAR
    assert all(s.text == "".join(WORDS) and s.count == len(WORDS) for s in samples)


@pytest.mark.parametrize("mode", ["streamed", "whole"])
def test_the_servers_own_times_are_read_and_are_within_the_clients(mode: Mode) -> None:
    with serve(Script(reports_times=True)) as server, open_client(None, 10) as http:
        sample = measure_request(http, target(server), mode)
    assert sample.server.ttft is not None
    assert sample.server.total is not None
    assert sample.timeline.ttft is not None
    assert 0 < sample.server.ttft < sample.timeline.ttft
    assert sample.server.ttft < sample.server.total < sample.total


def test_requests_share_one_connection() -> None:
    with serve() as server, open_client(None, 10) as http:
        for _ in range(2):
            measure_request(http, target(server), "streamed")
            measure_request(http, target(server), "whole")
    assert server.connections == 1


def test_a_refusal_is_overloaded() -> None:
    with (
        serve(Script(capacity=0)) as server,
        open_client(None, 10) as http,
        pytest.raises(Overloaded, match="Model is overloaded"),
    ):
        measure_request(http, target(server), "streamed")


def test_an_error_status_is_said_with_the_servers_words() -> None:
    with (
        serve(Script(refusal=422)) as server,
        open_client(None, 10) as http,
        pytest.raises(Unmeasured, match="answered 422: no such thing"),
    ):
        measure_request(http, target(server), "whole")


def test_an_error_event_is_said_with_the_servers_words() -> None:
    with (
        serve(Script(breaks_after=2)) as server,
        open_client(None, 10) as http,
        pytest.raises(Unmeasured, match="out of memory"),
    ):
        measure_request(http, target(server), "streamed")


def test_auto_is_native_where_info_names_a_model_else_chat() -> None:
    with serve() as native, serve(Script(is_native=False)) as other, open_client(None, 10) as http:
        assert choose_dialect(http, native.url, "auto").name == "native"
        assert choose_dialect(http, other.url, "auto").name == "chat"
        assert choose_dialect(http, other.url, "completions").name == "completions"


def test_the_model_is_the_first_listed_else_tgi() -> None:
    with serve() as server, open_client(None, 10) as http:
        assert choose_model(http, server.url) == "fake/model"
        assert choose_model(http, f"{server.url}/elsewhere") == "tgi"


def test_the_key_is_sent_as_a_bearer_token() -> None:
    with serve() as server, open_client("secret", 10) as http:
        measure_request(http, target(server), "whole")
    assert server.asked[0]["authorization"] == "Bearer secret"


def test_a_server_that_is_silent_too_long_is_named(http: httpx2.Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, open_client(None, timeout=0.05) as impatient:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(Unmeasured, match="silent for too long"):
            choose_model(impatient, url)


NO_ADDRESSES = [
    "localhost:7860",
    "ftp://x",
    "http://",
    "",
    "not an address",
    "http://a..b",
    "http://xn--zz",
    f"http://{'a' * 80}",
    "http://x:99999",
    "http://x?y=1",
]


@pytest.mark.parametrize("url", NO_ADDRESSES)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(Unmeasured, match="http://localhost:7860"):
        check_url(url)


def test_an_addresss_closing_slash_is_dropped() -> None:
    assert check_url("http://x:1/") == "http://x:1"


def test_a_key_that_no_header_can_hold_is_refused() -> None:
    with pytest.raises(Unmeasured, match="--api-key"):
        open_client("clé", 10)
