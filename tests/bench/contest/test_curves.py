from collections.abc import Sequence
from dataclasses import replace

import pytest

from demo.bench.contest.curves import LENGTHS, ROWS, measure_curves
from demo.bench.peers.contestant import Answer, Question
from tests.bench.contest.contestants import Scripted


def test_each_size_has_a_point_and_the_warm_up_has_none() -> None:
    server = Scripted(rate=50)
    curves = measure_curves(server, lambda sentence: None)
    assert len(curves.lengths) == len(LENGTHS)
    assert [point.size for point in curves.rows] == list(ROWS)
    assert [len(questions) for questions in server.asked] == [1, *ROWS, *[1] * len(LENGTHS)]
    assert curves.rows[0].tpot == pytest.approx(1 / 50)
    assert curves.rows[0].memory == 500_000_000


class HalfSilent(Scripted):
    """Every other token has no text, as special tokens have none."""

    def ask(self, questions: Sequence[Question], apart: float = 0.0) -> list[Answer]:
        return [
            replace(answer, times=answer.times[::2] + answer.times[-1:]) for answer in super().ask(questions, apart)
        ]


def test_tokens_without_a_text_took_their_time_too() -> None:
    curves = measure_curves(HalfSilent(rate=50), lambda sentence: None)
    assert curves.rows[-1].tpot == pytest.approx(1 / 50)
    assert curves.lengths[-1].tpot == pytest.approx(1 / 50)
