import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from demo.bench.client import Client, check_url
from demo.bench.sample import MeasurementError, TimedResponse, read_events
from tests.bench.fake_server import WORDS, FakeServer, Script, serve

PATH = "/v1/chat/completions"
BODY = {"stream": True}


@contextmanager
def connected(script: Script | None = None, api_key: str | None = None) -> Iterator[tuple[Client, FakeServer]]:
    with serve(script) as server:
        yield Client(server.url, api_key, 10), server


def test_concurrent_streams_overlap_and_none_reads_anothers_bytes() -> None:
    with connected(Script(capacity=8)) as (client, server):
        responses = client.post_together(PATH, [BODY] * 8)
    assert len({response.body for response in responses}) == 1
    assert max(response.sent for response in responses) < min(response.end for response in responses)
    assert server.connections == 8


def test_staggered_streams_are_sent_that_far_apart() -> None:
    with connected() as (client, _):
        first, second, third = client.post_together(PATH, [BODY] * 3, 0.02)
    assert second.sent - first.sent > 0.01
    assert third.sent - first.sent > 0.03


def test_scheduled_requests_start_when_they_are_due_and_count_from_then() -> None:
    starts = [0.0, 0.0, 0.05, 0.1]
    with connected(Script(delay=0.2)) as (client, _):
        responses = client.post_on_schedule(PATH, [BODY] * 4, starts)
        refused = client.post_on_schedule(PATH, [BODY] * 2, [0.0, 5e-3])
    answered = [response for response in responses if isinstance(response, TimedResponse)]
    assert [response.sent - answered[0].sent for response in answered] == pytest.approx(starts)
    assert all(response.lag >= 0 and len(response.reads) >= len(WORDS) for response in answered)
    assert len(refused) == 2


def test_one_request_that_fails_leaves_the_others() -> None:
    with connected(Script(cuts_after=2)) as (client, _):
        cut = client.post_on_schedule(PATH, [BODY, {}], [0.0, 0.0])
    assert all(isinstance(each, MeasurementError) for each in cut)


def test_no_read_is_stamped_before_the_server_wrote_it() -> None:
    with connected() as (client, server):
        response = client.post(PATH, BODY)
        reply = server.replies[0]
    assert response.sent < reply.begun
    assert all(read > written for (read, _), written in zip(read_events(response), reply.tokens, strict=True))


def test_a_path_without_json_or_with_an_error_status_is_none() -> None:
    with connected(Script(api_key="secret")) as (client, _):
        assert client.get_json("/v1/models") is None
    with connected() as (client, _):
        assert client.get_json("/nowhere") is None


def test_the_key_is_sent_as_a_bearer_token() -> None:
    with connected(Script(api_key="secret"), "secret") as (client, server):
        assert client.post(PATH, {}).is_success
    assert server.asked[0]["authorization"] == "Bearer secret"


@pytest.mark.parametrize("body", [BODY, {}])
def test_a_response_that_is_cut_off_is_an_error(body: dict[str, bool]) -> None:
    with connected(Script(cuts_after=2)) as (client, _), pytest.raises(MeasurementError, match="IncompleteRead"):
        client.post(PATH, body)


def test_silence_and_absence_are_errors_in_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(MeasurementError, match="was silent"):
            Client(url, timeout=0.05).post(PATH, BODY)
    with pytest.raises(MeasurementError, match="can't be reached"):
        Client(url).post(PATH, BODY)


@pytest.mark.parametrize(
    "url",
    [
        *("localhost:7860", "ftp://x", "http://", "", "not a URL", "http://a b", "http://a..b", f"http://{'a' * 80}"),
        *("http://x:port", "http://x:99999", "http://x?y=1"),
    ],
)
def test_a_url_that_is_not_a_servers_is_refused(url: str) -> None:
    with pytest.raises(MeasurementError, match="http://localhost:7860"):
        check_url(url)


def test_a_urls_closing_slash_is_dropped() -> None:
    assert check_url("http://x:1/under/") == "http://x:1/under"


def test_a_key_that_no_header_can_hold_is_refused() -> None:
    with pytest.raises(MeasurementError, match="API key"):
        Client("http://x", "clé")
