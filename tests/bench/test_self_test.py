import pytest

from demo.bench.client import Client
from demo.bench.sample import MeasurementError, TimedResponse
from demo.bench.self_test import compare_stamps, measure_bias
from tests.bench.fake_server import WORDS, Script, serve


def test_the_clients_stamps_agree_with_a_server_that_says_when_it_wrote() -> None:
    bias = measure_bias(8)
    assert bias.arrival.n == 8 * 16
    assert bias.arrival.p50 is not None
    assert 0 < bias.arrival.p50 < 0.002  # the goal is a tenth of it: a busy machine can miss that
    assert bias.gap.p50 == pytest.approx(0.0, abs=0.001)


def test_a_failed_stream_is_no_measurement() -> None:
    with pytest.raises(MeasurementError, match="cut off"):
        compare_stamps([MeasurementError("cut off")])


def test_scheduled_requests_start_when_they_are_due_and_count_from_then() -> None:
    starts = [0.0, 0.0, 0.05, 0.1]
    with serve(Script(delay=0.2)) as server:
        client = Client(server.url, timeout=10)
        responses = client.post_on_schedule("/v1/chat/completions", [{"stream": True}] * 4, starts)
        refused = client.post_on_schedule("/v1/chat/completions", [{"stream": True}] * 2, [0.0, 5e-3])
    answered = [response for response in responses if isinstance(response, TimedResponse)]
    assert [response.sent - answered[0].sent for response in answered] == pytest.approx(starts)
    assert all(response.lag >= 0 and len(response.reads) >= len(WORDS) for response in answered)
    assert len(refused) == 2


def test_one_request_that_fails_leaves_the_others() -> None:
    with serve(Script(cuts_after=2)) as server:
        cut = Client(server.url, timeout=10).post_on_schedule(
            "/v1/chat/completions", [{"stream": True}, {}], [0.0, 0.0]
        )
    assert all(isinstance(each, MeasurementError) for each in cut)
