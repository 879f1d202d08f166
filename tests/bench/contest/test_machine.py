from demo.bench.contest.machine import count_cores, measure_bandwidth


def test_the_bandwidth_is_that_of_a_machine() -> None:
    assert 1e8 < measure_bandwidth(2, 1 << 22) < 1e13


def test_there_is_a_core() -> None:
    assert count_cores() >= 1
