from demo.bench.contest.prompts import LONG_WORDS, ask_afresh, ask_at_length, ask_plainly


def begin(key: str) -> str:
    return ask_afresh(key).messages[0]["content"].split()[0]


def test_no_two_questions_begin_alike_and_the_same_key_asks_the_same() -> None:
    names = [begin(f"one {turn}") for turn in range(50)]
    assert len({name[:3] for name in names}) > 25
    assert len(set(names)) == 50
    assert ask_afresh("x") == ask_afresh("x")
    assert ask_at_length("x") == ask_at_length("x") != ask_at_length("y")


def test_the_plain_question_is_the_question_alone() -> None:
    (message,) = ask_plainly().messages
    assert message == {"role": "user", "content": "How do you make cheese?"}


def test_a_long_prompt_has_as_many_words_as_asked() -> None:
    assert len(ask_at_length("x").messages[1]["content"].split()) >= LONG_WORDS
    assert 200 <= len(ask_at_length("x", 200).messages[1]["content"].split()) < 220
