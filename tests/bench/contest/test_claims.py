from demo.bench.contest.claims import write_claims, write_keeps
from demo.bench.contest.result import find_best, sum_up
from demo.bench.contest.turns import Played
from demo.bench.peers.contestant import Identity
from tests.bench.contest.contestants import make_answer, make_identity

OURS = make_identity("ours", is_ours=True)
OURS_TOO = make_identity("ours Q4_0", is_ours=True, weights="Q4_0")
STORED, BEST = make_identity("peer"), make_identity("peer Q4_0", weights="Q4_0")
OTHER = Identity("other", "1", "not named", None, "HTTP", keeps="the last prompt")
EVERYBODY = [OURS, OURS_TOO, STORED, BEST, OTHER]
RATES = {"ours": 300.0, "ours Q4_0": 330.0, "peer": 100.0, "peer Q4_0": 200.0, "other": 50.0}
TTFTS = {"ours": 0.02, "ours Q4_0": 0.02, "peer": 0.01, "peer Q4_0": 0.04, "other": 0.1}

PLAYED = Played(
    {name: make_answer() for name in RATES},
    {
        measure: [{name: [make_answer(rate, ttft=TTFTS[name])] for name, rate in RATES.items()}]
        for measure in ("one", "long")
    },
)
STANDINGS = sum_up(EVERYBODY, PLAYED, 1e10, {})


def test_all_are_compared_with_this_server_of_the_weights_as_stored() -> None:
    ratios = {each.identity.name: round(each.ratios["rate"].median, 2) for each in STANDINGS}
    assert ratios == {"ours": 1, "ours Q4_0": 0.91, "peer": 3, "peer Q4_0": 1.5, "other": 6}
    assert [each.identity.name for each in STANDINGS if each.is_reference] == ["ours"]


def test_a_claim_is_of_the_form_in_which_the_peer_does_better_number_by_number() -> None:
    title, peer, other = write_claims(STANDINGS)
    assert title == "This server, of the weights as stored, over each peer in the form in which that peer does better:"
    assert peer.startswith("- peer: one stream 1.50 times (Q4_0); TTFT 2.00 times (Q4_1, as stored)")
    assert other.startswith("- other: one stream 6.00 times (not named)")
    assert peer.endswith("; TTFT of 1,000 tokens 2.00 times (Q4_1, as stored).")


def test_the_better_rate_is_the_greater_and_the_better_time_the_less() -> None:
    forms = [each for each in STANDINGS if each.identity.peer == "peer"]
    best = [find_best(forms, key) for key in ("rate", "ttft", "rate_of_many")]
    assert [each and each.identity.name for each in best] == ["peer Q4_0", "peer", None]


def test_without_this_server_nothing_is_claimed() -> None:
    assert list(write_claims(sum_up([STORED, BEST], PLAYED, 1e10, {}))) == []


def test_what_each_keeps_of_earlier_prompts_is_said_once() -> None:
    assert list(write_keeps(STANDINGS))[1:] == [
        "- ours, ours Q4_0, peer, peer Q4_0: nothing.",
        "- other: the last prompt.",
    ]


def test_of_weights_whose_size_is_not_known_there_is_no_bound() -> None:
    assert [each.bound for each in STANDINGS] == [100, 100, 100, 100, None]
