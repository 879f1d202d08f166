import pytest

from demo.bench.contest.curves import LENGTHS, ROWS, measure_curves
from tests.bench.contest.contestants import Scripted


def test_each_size_has_a_point_and_the_warm_up_has_none() -> None:
    server = Scripted(rate=50)
    curves = measure_curves(server, lambda sentence: None)
    assert len(curves.lengths) == len(LENGTHS)
    assert [point.size for point in curves.rows] == list(ROWS)
    assert [len(questions) for questions in server.asked] == [1, *ROWS, *[1] * len(LENGTHS)]
    assert curves.rows[0].gap == pytest.approx(1 / 50)
    assert curves.rows[0].memory == 500_000_000
