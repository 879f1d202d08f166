import pytest

from demo.bench.contest.measures import (
    NUMBERS,
    STREAMS,
    list_measures,
    read_rate,
    read_rate_overall,
    read_ttft,
    read_unevenness,
    read_unevenness_while_joining,
)
from demo.bench.peers.contestant import Answer
from tests.bench.contest.contestants import make_answer, make_identity


def make_uneven(gap: float, count: int) -> Answer:
    """Gaps of 1 s, with `count` of `gap` at the end."""
    times = [float(second) for second in range(21)]
    for _ in range(count):
        times.append(times[-1] + gap)
    return Answer(0.0, tuple(times), len(times), "")


def test_one_streams_speed_leaves_the_prompt_out() -> None:
    assert read_rate([make_answer(rate=100, tokens=11, ttft=7.0)]) == pytest.approx(100)


def test_tokens_that_the_server_counts_are_those_of_the_speed() -> None:
    assert read_rate([Answer(0.0, (1.0, 2.0), 11, "")]) == pytest.approx(10)


def test_a_single_piece_has_no_speed() -> None:
    assert read_rate([Answer(0.0, (1.0,), 5, "")]) is None


def test_several_streams_speed_is_all_tokens_from_the_first_request_to_the_last_token() -> None:
    answers = [make_answer(rate=10, tokens=11, ttft=1.0), make_answer(rate=10, tokens=21, ttft=1.0, asked=1.0)]
    assert read_rate_overall(answers) == pytest.approx(32 / 4)


def test_the_ttft_of_several_is_their_median() -> None:
    assert read_ttft([make_answer(ttft=ttft) for ttft in (0.1, 0.2, 5.0)]) == pytest.approx(0.2)


def test_unevenness_is_that_of_the_worst_stream() -> None:
    assert read_unevenness([make_uneven(1.0, 0), make_uneven(4.0, 3)]) == pytest.approx(4.0)


def test_gaps_after_all_have_joined_do_not_count_as_joining() -> None:
    calm, late = make_uneven(9.0, 5), Answer(0.0, (20.0, 21.0), 2, "")
    assert read_unevenness_while_joining([calm, late]) == pytest.approx(1.0)


def test_streams_with_few_gaps_are_not_compared() -> None:
    assert read_unevenness([Answer(0.0, (1.0, 2.0, 9.0), 3, "")]) is None


def test_who_answers_one_at_a_time_is_not_asked_for_several() -> None:
    alone, ours = make_identity(together=False), make_identity(is_ours=True)
    assert [measure.key for measure in list_measures() if measure.takes_part(alone)] == ["one", "long"]
    assert [measure.key for measure in list_measures() if measure.takes_part(ours)] == [
        "one",
        "many",
        "long",
        "joining",
    ]


def test_every_number_is_of_a_measure_and_every_question_of_a_round_is_another() -> None:
    measures = {measure.key: measure for measure in list_measures()}
    assert {number.measure for number in NUMBERS} == set(measures)
    assert len({str(question) for question in measures["many"].ask(0)}) == STREAMS
    assert measures["one"].ask(0) != measures["one"].ask(1)
