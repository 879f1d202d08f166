import pytest

from tests.comparison.figures import OTHERS, OURS, draw_curves, draw_results
from tests.comparison.sample_report import CURVES, make_report

RESULTS = make_report().results


def test_every_panel_has_a_bar_for_each_system_with_the_number_and_ours_has_its_own_colour() -> None:
    rate, bound, ttft, many, long = draw_results(RESULTS, "title").data
    assert list(rate.x) == list(ttft.x) == list(long.x) == ["ours", "peer"]
    assert list(rate.marker.color) == [OURS, OTHERS]
    assert list(many.x) == ["ours"]
    assert list(bound.y) == [200, 200]


def test_the_curves_are_drawn_in_milliseconds_and_megabytes() -> None:
    tpots, memory, *_ = draw_curves(CURVES, "title").data
    assert list(tpots.x) == [64, 1000, 2000, 8000]
    assert tpots.y[-1] == pytest.approx(18)
    assert memory.y[-1] == 1008
