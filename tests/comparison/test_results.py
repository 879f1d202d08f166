import pytest

from tests.comparison.measures import Answers
from tests.comparison.results import count_shared_words, find_oddity, spread, summarize
from tests.comparison.rounds import Outcome
from tests.comparison.scripted_system import TEXT, make_answer, make_identity

OURS, PEER = make_identity("ours", is_ours=True), make_identity("peer", concurrent=False)


def make_outcome(*rounds: dict[str, Answers], left_out: dict[str, str] | None = None) -> Outcome:
    plain = {"ours": make_answer(), "peer": make_answer()}
    return Outcome(plain, {"one": list(rounds)}, left_out or {})


def test_ratios_are_paired_by_round() -> None:
    outcome = make_outcome(
        {"ours": [make_answer(200)], "peer": [make_answer(100)]},
        {"ours": [make_answer(90)], "peer": [make_answer(30)]},
        {"peer": [make_answer(1)]},
    )
    ours, peer = summarize([OURS, PEER], outcome, 1e10, {"ours": 7})
    assert peer.ratios["rate"].median == pytest.approx((2 + 3) / 2)
    assert ours.ratios["rate"].median == pytest.approx(1)
    assert (peer.ratios["rate"].n, peer.numbers["rate"].n, ours.memory, peer.memory) == (2, 3, 7, None)


def test_a_spread_is_the_median_minimum_and_maximum() -> None:
    found = spread([4.0, 1.0, 2.0])
    assert found is not None
    assert (found.median, found.least, found.greatest, found.n) == (2.0, 1.0, 4.0, 3)
    assert spread([]) is None


def test_a_number_that_was_not_measured_is_absent_and_without_ours_there_is_no_ratio() -> None:
    (result,) = summarize([PEER], make_outcome({"peer": [make_answer()]}), 1e10, {})
    assert "rate_of_many" not in result.numbers
    assert result.ratios == {}


def test_a_system_that_was_left_out_has_no_result() -> None:
    outcome = make_outcome({"ours": [make_answer()]}, left_out={"peer": "It broke."})
    assert [each.identity.name for each in summarize([OURS, PEER], outcome, 1e10, {})] == ["ours"]


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
def test_an_answer_that_makes_no_sense_is_noticed(text: str, oddity: str | None) -> None:
    assert find_oddity(make_answer(text=text)) == oddity


def test_shared_words_are_counted_from_the_beginning() -> None:
    assert count_shared_words("a b c d", "a b x d") == 2
    assert count_shared_words("a b", "a b c") == 2
    assert count_shared_words("", "a") == 0
