"""One rule tells reasoning from answer, however the text is cut into tokens."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demo.events import Candidate, Done, Event, ReasoningStart, Started, Token
from demo.metrics import measure_streamed, measure_whole
from demo.reasoning import MARKS, ReasoningParser, join_kind, split_tokens

HARMONY = "<|channel|>analysis<|message|>Hm<|end|><|start|>assistant<|channel|>final<|message|>Yes.<|return|>"
CASES: list[tuple[ReasoningStart, str, str, str]] = [
    ("none", "<think>Hm</think>Yes.", "", "<think>Hm</think>Yes."),
    ("tags", "<think>\nHm\n</think>\n\nYes.", "Hm\n", "Yes."),
    ("tags", "\n<think>\n\n</think>\n\nYes.", "", "Yes."),
    ("tags", "  Yes, a <think> and a </think>.", "", "  Yes, a <think> and a </think>."),
    ("tags", "<thin ice", "", "<thin ice"),
    ("tags", "<think>a < b </thi", "a < b </thi", ""),
    ("open", "\nHm\n</think>\n\nYes <think>.", "Hm\n", "Yes <think>."),
    ("open", "<think>\nHm</think>Yes.", "Hm", "Yes."),
    ("open", "</think>Yes.", "", "Yes."),
    ("harmony", HARMONY, "Hm", "Yes."),
    ("harmony", "Yes, <|plainly", "", "Yes, <|plainly"),
    ("analysis", HARMONY.removeprefix("<|channel|>analysis<|message|>"), "Hm", "Yes."),
    ("inside", " so\n</think>\n\nYes.", " so\n", "Yes."),
    ("analysis", "Hm <|en", "Hm <|en", ""),
    ("harmony", "<|channel|>commentary to=f<|message|>C<|channel|>final <|constrain|>json<|message|>1", "C", "1"),
]


def cut(text: str, places: set[int]) -> list[Token]:
    """The text as tokens that end at `places`."""
    ends = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [
        Token(float(index), index, index, text[start:end], None, special=False)
        for index, (start, end) in enumerate(pairwise(ends), start=1)
    ]


@pytest.mark.parametrize(("start", "text", "reasoning", "answer"), CASES)
@settings(max_examples=20)
@given(places=st.sets(st.integers(0, 200)))
def test_however_the_text_is_cut_the_same_is_told(
    start: ReasoningStart, text: str, reasoning: str, answer: str, places: set[int]
) -> None:
    for is_all in (False, True):
        tokens = cut(text, set(range(200)) if is_all else places)
        split = split_tokens(start, tokens, is_complete=True)
        assert len(split) == len(tokens)
        assert "".join(join_kind(parts, "reasoning") for parts in split) == reasoning
        assert "".join(join_kind(parts, "answer") for parts in split) == answer
        assert "".join(part.text for parts in split for part in parts) == text


@settings(max_examples=40)
@given(
    st.sampled_from(sorted(MARKS)),
    st.lists(st.sampled_from([*sorted(MARKS["harmony"] | MARKS["tags"]), "a", " ", "<", "final", "\n", "</"])),
    st.sets(st.integers(0, 200)),
)
def test_of_any_text_nothing_is_lost_and_the_cut_does_not_matter(
    start: ReasoningStart, pieces: list[str], places: set[int]
) -> None:
    text = "".join(pieces)
    told = []
    for tokens in (cut(text, places), cut(text, set())):
        split = split_tokens(start, tokens, is_complete=True)
        assert "".join(part.text for parts in split for part in parts) == text
        told.append(["".join(join_kind(parts, kind) for parts in split) for kind in ("reasoning", "answer")])
    assert told[0] == told[1]


def test_what_an_engine_elsewhere_tells_of_a_token_is_what_is_told_of_it() -> None:
    told = [("", 0), ("Hm <", 4), ("a", 1), ("", 0), ("b</think>Yes", 1), (" <think>", 0)]
    tokens = [Token(0.0, at, at, text, None, False, reasoned=reasoned) for at, (text, reasoned) in enumerate(told)]
    parser = ReasoningParser("told")
    split = [[(part.kind, part.text) for part in parser.feed(token)] for token in tokens]
    assert split == [
        *([], [("reasoning", "Hm <")], [("reasoning", "a")], []),
        *([("reasoning", "b"), ("answer", "</think>Yes")], [("answer", " <think>")]),
    ]
    assert (parser.reasoning_tokens, parser.end()) == (4, ())


def test_an_engine_elsewhere_ends_its_reasoning_without_a_mark() -> None:
    parser = ReasoningParser("told")
    tokens = [
        Token(0.0, at, at, text, None, False, reasoned=len(text) * (at == 0)) for at, text in enumerate(("Hm", "Yes"))
    ]
    assert [parser.feed(token)[0].kind for token in tokens] == ["reasoning", "answer"]


def test_what_can_be_no_mark_is_told_at_once() -> None:
    parser = ReasoningParser("tags")
    told = [parser.feed(token) for token in cut("<think>ab</c", set(range(20)))]
    assert [join_kind(parts, "reasoning") for parts in told] == [*[""] * 7, "a", "b", "", "", "</c"]


def test_a_mark_that_is_a_special_token_counts_as_its_text_and_another_one_does_not() -> None:
    def special(text: str) -> Token:
        return Token(0.0, 1, 1, "", None, special=True, own=Candidate(1, text, None, special=True))

    def plain(text: str) -> Token:
        return Token(0.0, 1, 1, text, None, special=False)

    marks = ["<|channel|>", "<|message|>", "<|end|>", "<|start|>"]
    channel, message, end, start = map(special, marks)
    tokens = [channel, plain("analysis"), message, plain("Hm"), end, start, plain("assistant"), channel, plain("final")]
    tokens += [message, plain("Yes"), special("<|return|>")]
    parser = ReasoningParser("harmony")
    parts = [part for token in tokens for part in parser.feed(token)]
    assert (join_kind(parts, "reasoning"), join_kind(parts, "answer")) == ("Hm", "Yes")
    assert parser.reasoning_tokens == 10
    tokens = [special("<think>"), plain("Hm"), special("</think>"), plain("Yes"), special("<|im_end|>")]
    parts = [part for each in split_tokens("tags", tokens, is_complete=True) for part in each]
    assert [(part.kind, part.text) for part in parts] == [
        *[("mark", "<think>"), ("reasoning", "Hm"), ("mark", "</think>"), ("answer", "Yes")]
    ]


@pytest.mark.parametrize(("text", "count"), [("<think>Hm</think>Yes", 17), ("<thin", 0), ("  Yes", 0)])
def test_tokens_are_counted_up_to_the_answer_where_there_is_reasoning(text: str, count: int) -> None:
    parser = ReasoningParser("tags")
    for token in cut(text, set(range(40))):
        parser.feed(token)
    assert parser.reasoning_tokens == count


@pytest.mark.parametrize(("start", "answered"), [("tags", 4.0), ("none", None)])
def test_the_time_to_the_answer_is_apart_from_that_to_the_first_token(
    start: ReasoningStart, answered: float | None
) -> None:
    texts = ["<think>", "Hm", "</think>", "Yes", "."]
    tokens = [Token(float(index), index, 0, text, None, special=False) for index, text in enumerate(texts, 1)]
    events: list[Event] = [Started(0.0, 1, None, reasoning=start), *tokens, Done(6.0, "eos_token", 5)]
    timeline = measure_streamed(0.0, events)
    assert (timeline.ttft, timeline.answered) == (1.0, answered)
    assert measure_whole(timeline).answered == (None if answered is None else 6.0)
    assert measure_streamed(0.0, events[:4]).answered is None
