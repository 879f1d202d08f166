import pytest

from demo.bench.contest.growth import fit_growth, say_growth

SIZES = [64, 500, 1000, 2000, 4000, 8000]


def test_a_line_has_no_square_in_it() -> None:
    growth = fit_growth(SIZES, [8 + 0.002 * size for size in SIZES])
    assert growth.share == pytest.approx(0, abs=1e-6)
    assert growth.constant == pytest.approx(8)
    assert growth.linear == pytest.approx(0.002)
    assert "does not grow quadratically" in say_growth("time", "length", growth)


def test_a_square_is_called_one() -> None:
    growth = fit_growth(SIZES, [8 + 1e-6 * size**2 for size in SIZES])
    assert growth.square == pytest.approx(1e-6)
    assert growth.is_quadratic
    assert say_growth("time", "length", growth).startswith("time grows quadratically with the length")


def test_noise_is_no_square() -> None:
    noisy = [(8 + 0.002 * size) * (1.03 if index % 2 else 0.97) for index, size in enumerate(SIZES)]
    assert not fit_growth(SIZES, noisy).is_quadratic
