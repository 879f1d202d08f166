from tests.comparison.rounds import WARM_UP_TOKENS, Comparison
from tests.comparison.scripted_system import TEXT, ScriptedSystem, make_identity


def make_comparison(*systems: ScriptedSystem) -> Comparison:
    return Comparison(systems, lambda sentence: None)


def test_every_system_is_asked_the_same_and_each_round_asks_other_questions() -> None:
    one, other = ScriptedSystem(make_identity("one")), ScriptedSystem(make_identity("other"))
    outcome = make_comparison(one, other).run(2, 0)
    assert one.asked == other.asked
    assert [sorted(answers) for answers in outcome.rounds["one"]] == [["one", "other"]] * 2
    assert outcome.plain["one"].text == TEXT
    measured = [questions for questions in one.asked if questions[0].new_tokens > WARM_UP_TOKENS]
    assert len({str(questions) for questions in measured}) == len(measured)


def test_the_order_is_random_and_repeats_with_its_seed() -> None:
    def order(seed: int) -> list[str]:
        systems = [ScriptedSystem(make_identity(name)) for name in "abcdef"]
        outcome = make_comparison(*systems).run(3, seed)
        return ["".join(answers) for answers in outcome.rounds["one"]]

    assert order(0) == order(0)
    assert len(set(order(0))) > 1


def test_a_system_is_paused_unless_it_is_being_asked() -> None:
    system = ScriptedSystem()
    make_comparison(system).run(1, 0)
    calls = [call for call in system.log if call != "ask"]
    assert calls == ["resume", "pause"] * (len(calls) // 2)
    assert "pause ask" not in " ".join(system.log)


def test_a_system_that_fails_is_left_out_and_the_others_go_on() -> None:
    frail, sound = ScriptedSystem(make_identity("frail"), fails_at=6), ScriptedSystem(make_identity("sound"))
    progress: list[str] = []
    outcome = Comparison([frail, sound], progress.append).run(2, 0)
    assert outcome.left_out == {"frail": "It is out of memory."}
    assert "frail is left out: It is out of memory." in progress
    assert len(frail.asked) == 6
    assert frail.log[-1] == "pause"
    assert all("sound" in answers for answers in outcome.rounds["long"])


def test_the_clients_share_of_a_core_is_recorded_for_each_measure() -> None:
    outcome = make_comparison(ScriptedSystem()).run(1, 0)
    assert set(outcome.client) == {"one", "many", "long"}
    assert all(share >= 0 for share in outcome.client.values())
