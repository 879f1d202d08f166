from tests.comparison.claims import write_claims, write_prefix_caching
from tests.comparison.measures import Answers
from tests.comparison.results import find_best, summarize
from tests.comparison.rounds import Outcome
from tests.comparison.scripted_system import make_answer, make_identity
from tests.comparison.systems.system import Identity

STORED, BEST = make_identity("peer"), make_identity("peer Q4_0", weights="Q4_0")
OTHER = Identity("other", "1", "not named", None, "HTTP", prefix_caching="of the last prompt")
OURS = [make_identity("ours", is_ours=True), make_identity("ours Q4_0", is_ours=True, weights="Q4_0")]
RATES = {"ours": 300.0, "ours Q4_0": 330.0, "peer": 100.0, "peer Q4_0": 200.0, "other": 50.0}
TTFTS = {"ours": 0.02, "ours Q4_0": 0.02, "peer": 0.01, "peer Q4_0": 0.04, "other": 0.1}
ROUND: dict[str, Answers] = {name: [make_answer(rate, ttft=TTFTS[name])] for name, rate in RATES.items()}
OUTCOME = Outcome({name: make_answer() for name in RATES}, {"one": [ROUND], "long": [ROUND]})
RESULTS = summarize([*OURS, STORED, BEST, OTHER], OUTCOME, 1e10, {})


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
    assert list(write_claims(summarize([STORED, BEST], OUTCOME, 1e10, {}))) == []


def test_systems_with_the_same_prefix_caching_share_a_line() -> None:
    assert list(write_prefix_caching(RESULTS))[1:] == [
        "- ours, ours Q4_0, peer, peer Q4_0: none.",
        "- other: of the last prompt.",
    ]


def test_the_bound_is_bandwidth_over_weight_bytes_or_none() -> None:
    assert [each.bound for each in RESULTS] == [100, 100, 100, 100, None]
