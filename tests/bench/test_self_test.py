import pytest

from demo.bench.sample import MeasurementError
from demo.bench.self_test import compare_stamps, measure_bias


def test_the_clients_stamps_agree_with_a_server_that_says_when_it_wrote() -> None:
    bias = measure_bias(8)
    assert bias.arrival.n == 8 * 16
    assert bias.arrival.p50 is not None
    assert 0 < bias.arrival.p50 < 0.002  # the goal is a tenth of it: a busy machine can miss that
    assert bias.gap.p50 == pytest.approx(0.0, abs=0.001)


def test_a_failed_stream_is_no_measurement() -> None:
    with pytest.raises(MeasurementError, match="cut off"):
        compare_stamps([MeasurementError("cut off")])
