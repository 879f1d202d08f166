from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.comparison.curves import LENGTHS, ROWS, fit_growth, format_growth, measure_curves
from tests.comparison.scripted_system import ScriptedSystem
from tests.comparison.systems.system import Answer, Question


def test_each_size_has_a_point_and_the_warm_up_has_none() -> None:
    server = ScriptedSystem(rate=50)
    curves = measure_curves(server, lambda sentence: None)
    assert len(curves.lengths) == len(LENGTHS)
    assert [point.size for point in curves.rows] == list(ROWS)
    assert [len(questions) for questions in server.asked] == [1, *ROWS, *[1] * len(LENGTHS)]
    assert curves.rows[0].tpot == pytest.approx(1 / 50)
    assert curves.rows[0].memory is None


class HalfSilent(ScriptedSystem):
    """Every other token is without text, as special tokens are."""

    def ask(self, questions: Sequence[Question], stagger: float = 0.0) -> list[Answer]:
        answers = super().ask(questions, stagger)
        return [replace(answer, times=answer.times[::2] + answer.times[-1:]) for answer in answers]


def test_tokens_without_text_count_in_the_time_per_token() -> None:
    curves = measure_curves(HalfSilent(rate=50), lambda sentence: None)
    assert curves.rows[-1].tpot == pytest.approx(1 / 50)
    assert curves.lengths[-1].tpot == pytest.approx(1 / 50)


def test_a_linear_cost_has_no_square_term() -> None:
    growth = fit_growth(LENGTHS, [8 + 0.002 * size for size in LENGTHS])
    assert growth.share == pytest.approx(0, abs=1e-6)
    assert growth.constant == pytest.approx(8)
    assert growth.linear == pytest.approx(0.002)
    assert "does not grow quadratically" in format_growth("time", "length", growth)


def test_a_quadratic_cost_is_reported() -> None:
    growth = fit_growth(LENGTHS, [8 + 1e-6 * size**2 for size in LENGTHS])
    assert growth.square == pytest.approx(1e-6)
    assert format_growth("time", "length", growth).startswith("time grows quadratically with the length")


def test_noise_is_not_a_square_term() -> None:
    noisy = [(8 + 0.002 * size) * (1.03 if index % 2 else 0.97) for index, size in enumerate(LENGTHS)]
    assert not fit_growth(LENGTHS, noisy).is_quadratic
