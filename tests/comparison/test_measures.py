import pytest

from tests.comparison.machine import count_cores, measure_bandwidth
from tests.comparison.measures import (
    MEASURES,
    NUMBERS,
    STREAMS,
    compute_rate,
    compute_throughput,
    compute_ttft,
    compute_unevenness,
    compute_unevenness_while_joining,
)
from tests.comparison.prompts import LONG_WORDS, QUESTION, make_long, make_plain, make_unique
from tests.comparison.scripted_system import make_answer, make_identity
from tests.comparison.systems.system import Answer


def make_uneven(gap: float, count: int) -> Answer:
    """Gaps of 1 s, with `count` of `gap` at the end."""
    times = [float(second) for second in range(21)]
    for _ in range(count):
        times.append(times[-1] + gap)
    return Answer(0.0, tuple(times), len(times), "")


def test_ttft_is_the_first_token_minus_the_request_and_n_tokens_have_n_minus_1_gaps() -> None:
    answer = Answer(10.0, (10.5, 11.5, 14.0), 3, "")
    assert answer.ttft == 0.5
    assert answer.gaps == (1.0, 2.5)


def test_the_rate_of_one_stream_excludes_its_prompt() -> None:
    assert compute_rate([make_answer(rate=100, tokens=11, ttft=7.0)]) == pytest.approx(100)


def test_the_rate_uses_the_token_count_that_the_system_reports() -> None:
    assert compute_rate([Answer(0.0, (1.0, 2.0), 11, "")]) == pytest.approx(10)


def test_a_single_piece_has_no_rate() -> None:
    assert compute_rate([Answer(0.0, (1.0,), 5, "")]) is None


def test_throughput_is_all_tokens_from_the_first_request_to_the_last_token() -> None:
    answers = [make_answer(rate=10, tokens=11, ttft=1.0), make_answer(rate=10, tokens=21, ttft=1.0, asked=1.0)]
    assert compute_throughput(answers) == pytest.approx(32 / 4)


def test_the_ttft_of_several_streams_is_their_median() -> None:
    assert compute_ttft([make_answer(ttft=ttft) for ttft in (0.1, 0.2, 5.0)]) == pytest.approx(0.2)


def test_unevenness_is_that_of_the_worst_stream() -> None:
    assert compute_unevenness([make_uneven(1.0, 0), make_uneven(4.0, 3)]) == pytest.approx(4.0)


def test_gaps_after_all_have_joined_do_not_count_as_joining() -> None:
    calm, late = make_uneven(9.0, 5), Answer(0.0, (20.0, 21.0), 2, "")
    assert compute_unevenness_while_joining([calm, late]) == pytest.approx(1.0)


def test_a_stream_with_few_gaps_has_no_unevenness() -> None:
    assert compute_unevenness([Answer(0.0, (1.0, 2.0, 9.0), 3, "")]) is None


def test_a_system_that_answers_one_request_at_a_time_is_not_measured_with_several() -> None:
    single, ours = make_identity(concurrent=False), make_identity(is_ours=True)
    assert [measure.key for measure in MEASURES if measure.applies_to(single)] == ["one", "long"]
    assert [measure.key for measure in MEASURES if measure.applies_to(ours)] == ["one", "many", "long", "joining"]


def test_every_measure_has_a_number_and_every_round_other_questions() -> None:
    measures = {measure.key: measure for measure in MEASURES}
    assert {number.measure for number in NUMBERS} == set(measures)
    assert len({str(question) for question in measures["many"].write(0)}) == STREAMS
    assert measures["one"].write(0) != measures["one"].write(1)


def test_no_two_questions_begin_alike_and_a_key_always_gives_the_same_question() -> None:
    names = [make_unique(f"one {number}").messages[0]["content"].split()[0] for number in range(50)]
    assert len({name[:3] for name in names}) > 25
    assert len(set(names)) == 50
    assert make_unique("x") == make_unique("x")
    assert make_long("x") == make_long("x") != make_long("y")
    assert make_plain().messages == ({"role": "user", "content": QUESTION},)


@pytest.mark.parametrize("words", [200, LONG_WORDS])
def test_a_long_prompt_has_as_many_words_as_asked_for(words: int) -> None:
    assert words <= len(make_long("x", words).messages[1]["content"].split()) < words + 20


def test_the_bandwidth_and_the_cores_are_plausible() -> None:
    assert 1e8 < measure_bandwidth(2, 1 << 22) < 1e13
    assert count_cores() >= 1
