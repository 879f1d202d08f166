import pytest

from demo.bench.contest.measures import Answers
from demo.bench.contest.result import count_shared_words, find_oddity, spread, sum_up
from demo.bench.contest.turns import Played
from tests.bench.contest.contestants import TEXT, make_answer, make_identity

OURS, PEER = make_identity("ours", is_ours=True), make_identity("peer", together=False)


def play(*rounds: dict[str, Answers], left_out: dict[str, str] | None = None) -> Played:
    plain = {"ours": make_answer(), "peer": make_answer()}
    return Played(plain, {"one": list(rounds)}, left_out or {})


def test_ratios_are_paired_by_round() -> None:
    played = play(
        {"ours": [make_answer(200)], "peer": [make_answer(100)]},
        {"ours": [make_answer(90)], "peer": [make_answer(30)]},
        {"peer": [make_answer(1)]},
    )
    ours, peer = sum_up([OURS, PEER], played, 1e10, {})
    assert peer.ratios["rate"].median == pytest.approx((2 + 3) / 2)
    assert peer.ratios["rate"].n == 2
    assert ours.ratios["rate"].median == pytest.approx(1)
    assert peer.numbers["rate"].n == 3


def test_the_bound_is_bandwidth_over_weights() -> None:
    (standing,) = sum_up([OURS], play({"ours": [make_answer()]}), 2e10, {"ours": 7})
    assert standing.bound == pytest.approx(200)
    assert standing.memory == 7


def test_a_number_that_was_not_measured_is_absent_and_without_ours_there_is_no_ratio() -> None:
    (standing,) = sum_up([PEER], play({"peer": [make_answer()]}), 1e10, {})
    assert "rate_of_many" not in standing.numbers
    assert standing.ratios == {}
    assert spread([]) is None


def test_who_was_left_out_has_no_standing() -> None:
    played = play({"ours": [make_answer()]}, left_out={"peer": "It broke."})
    assert [each.identity.name for each in sum_up([OURS, PEER], played, 1e10, {})] == ["ours"]


@pytest.mark.parametrize(
    ("text", "oddity"),
    [
        (TEXT, None),
        ("", "only 0 words"),
        ("The weather is fine today and " * 5, "nothing of cheese, milk, curd"),
        ("cheese " * 40, "the same words again and again"),
        (TEXT + " 0x!#?" * 30, "more signs than words"),
    ],
)
def test_an_answer_is_checked_for_sense(text: str, oddity: str | None) -> None:
    assert find_oddity(make_answer(text=text)) == oddity


def test_words_are_shared_from_the_beginning_only() -> None:
    assert count_shared_words("a b c d", "a b x d") == 2
    assert count_shared_words("a b", "a b c") == 2
    assert count_shared_words("", "a") == 0
