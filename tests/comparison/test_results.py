import pytest

from tests.comparison.measures import Answers
from tests.comparison.results import count_shared_words, find_best, find_oddity, spread, summarize
from tests.comparison.rounds import Outcome
from tests.comparison.scripted_system import TEXT, make_answer, make_identity
from tests.comparison.systems.system import Identity
from tests.comparison.table import write_claims, write_prefix_caching

OURS, PEER = make_identity("ours", is_ours=True), make_identity("peer", concurrent=False)
IDENTITIES = [
    *(OURS, make_identity("ours Q4_0", is_ours=True, weights="Q4_0"), PEER, make_identity("peer Q4_0", weights="Q4_0")),
    Identity("other", "1", "not named", None, "HTTP", prefix_caching="of the last prompt"),
]
RATES = {"ours": 300.0, "ours Q4_0": 330.0, "peer": 100.0, "peer Q4_0": 200.0, "other": 50.0}
TTFTS = {"ours": 0.02, "ours Q4_0": 0.02, "peer": 0.01, "peer Q4_0": 0.04, "other": 0.1}
ROUND: dict[str, Answers] = {name: [make_answer(rate, ttft=TTFTS[name])] for name, rate in RATES.items()}
OUTCOME = Outcome({name: make_answer() for name in RATES}, {"one": [ROUND], "long": [ROUND]})
RESULTS = summarize(IDENTITIES, OUTCOME, 1e10, {})


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


def test_every_system_is_compared_with_this_server_on_the_stored_weights() -> None:
    ratios = {each.identity.name: round(each.ratios["rate"].median, 2) for each in RESULTS}
    assert ratios == {"ours": 1, "ours Q4_0": 0.91, "peer": 3, "peer Q4_0": 1.5, "other": 6}
    assert [each.identity.name for each in RESULTS if each.is_reference] == ["ours"]


def test_each_claim_is_against_the_better_data_type_of_the_peer() -> None:
    title, peer, other = write_claims(RESULTS)
    assert title.endswith("over each peer with the data type that is better for it:")
    assert peer.startswith("- peer: one stream 1.50 times (Q4_0); TTFT 2.00 times (Q4_1, as stored)")
    assert other.startswith("- other: one stream 6.00 times (not named)")
    assert peer.endswith("; TTFT of 1,000 tokens 2.00 times (Q4_1, as stored).")


def test_the_better_rate_is_the_higher_and_the_better_ttft_the_lower() -> None:
    results = [each for each in RESULTS if each.identity.peer == "peer"]
    best = [find_best(results, key) for key in ("rate", "ttft", "rate_of_many")]
    assert [each and each.identity.name for each in best] == ["peer Q4_0", "peer", None]


def test_without_this_server_there_is_no_claim() -> None:
    assert list(write_claims(summarize(IDENTITIES[2:4], OUTCOME, 1e10, {}))) == []


def test_systems_with_the_same_prefix_caching_share_a_line() -> None:
    assert list(write_prefix_caching(RESULTS))[1:] == [
        "- ours, ours Q4_0, peer, peer Q4_0: none.",
        "- other: of the last prompt.",
    ]


def test_the_bound_is_bandwidth_over_weight_bytes_or_none() -> None:
    assert [each.bound for each in RESULTS] == [100, 100, 100, 100, None]
