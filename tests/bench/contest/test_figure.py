import pytest

from demo.bench.contest.figure import OTHERS, OURS, draw_contest, draw_curves
from tests.bench.contest.reports import CURVES, make_report

STANDINGS = make_report().standings


def test_every_panel_has_a_bar_for_each_who_has_the_number_and_ours_stands_out() -> None:
    rate, bound, ttft, many, long = draw_contest(STANDINGS, "title").data
    assert list(rate.x) == list(ttft.x) == list(long.x) == ["ours", "peer"]
    assert list(rate.marker.color) == [OURS, OTHERS]
    assert list(many.x) == ["ours"]
    assert list(bound.y) == [200, 200]


def test_the_curves_are_drawn_in_milliseconds_and_megabytes() -> None:
    tpots, memory, *_ = draw_curves(CURVES, "title").data
    assert list(tpots.x) == [64, 1000, 2000, 8000]
    assert tpots.y[-1] == pytest.approx(18)
    assert memory.y[-1] == 1008
