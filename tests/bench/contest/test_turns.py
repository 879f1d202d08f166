from demo.bench.contest.measures import list_measures
from demo.bench.contest.turns import FEW, Contest
from tests.bench.contest.contestants import TEXT, Scripted, make_identity


def silent(sentence: str) -> None:
    pass


def make_contest(*contestants: Scripted) -> Contest:
    return Contest(contestants, list_measures(), silent)


def test_everybody_is_asked_the_same_and_each_round_something_else() -> None:
    one, other = Scripted(make_identity("one")), Scripted(make_identity("other"))
    played = make_contest(one, other).play(2, 0)
    assert one.asked == other.asked
    assert [sorted(found) for found in played.rounds["one"]] == [["one", "other"]] * 2
    assert played.plain["one"].text == TEXT
    measured = [questions for questions in one.asked if questions[0].new_tokens > FEW]
    assert len({str(questions) for questions in measured}) == len(measured)


def test_the_order_is_drawn_anew_and_the_same_seed_draws_the_same() -> None:
    def order(seed: int) -> list[str]:
        contestants = [Scripted(make_identity(name)) for name in "abcdef"]
        played = make_contest(*contestants).play(3, seed)
        return ["".join(found) for found in played.rounds["one"]]

    assert order(0) == order(0)
    assert len(set(order(0))) > 1


def test_only_who_is_asked_may_use_the_processor() -> None:
    contestant = Scripted()
    make_contest(contestant).play(1, 0)
    runs = [step for step in contestant.log if step != "ask"]
    assert runs == ["resume", "pause"] * (len(runs) // 2)
    assert "pause ask" not in " ".join(contestant.log)


def test_who_fails_in_the_middle_is_left_out_and_the_others_go_on() -> None:
    frail, sound = Scripted(make_identity("frail"), fails_at=6), Scripted(make_identity("sound"))
    said: list[str] = []
    played = Contest([frail, sound], list_measures(), said.append).play(2, 0)
    assert played.left_out == {"frail": "It is out of memory."}
    assert "frail is left out: It is out of memory." in said
    assert len(frail.asked) == 6
    assert frail.log[-1] == "pause"
    assert all("sound" in found for found in played.rounds["long"])


def test_what_the_client_itself_used_is_noted() -> None:
    played = make_contest(Scripted()).play(1, 0)
    assert set(played.client) == {"one", "many", "long"}
    assert all(share >= 0 for share in played.client.values())
