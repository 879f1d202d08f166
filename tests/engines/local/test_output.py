"""What is logged of a token never depends on the stop strings that were asked for beside it."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models

from demo.engines.local.detokenizer import Detokenizer, spell_tokens
from demo.engines.local.output import Output, SampledToken, Vocabulary
from demo.engines.token_form import LETTERS
from demo.errors import EngineFailed
from demo.events import Candidate, Done, Event, Failed, FinishReason, Token
from demo.repetition import SHORTEST_LOOP
from demo.request import Request

# A small alphabet, cut at any byte: the euro sign and the snowman share their first byte.
PIECES = [
    b"a",
    b"b",
    b"ab",
    b"\xe2",
    b"\x82",
    b"\xac",
    b"\x82\xac",
    b"\x98\x83",
    b"a\xe2",
    b"\xacb",
    "€".encode(),
    b"\xff",
]
SPECIALS = ["<end>", "<role>"]
END, ROLE = len(PIECES), len(PIECES) + 1
BROKEN = "\N{REPLACEMENT CHARACTER}"


def make_tokenizer() -> Tokenizer:
    letters = {byte: letter for letter, byte in LETTERS.items()}
    forms = ["".join(letters[byte] for byte in piece) for piece in PIECES]
    tokenizer = Tokenizer(models.BPE(vocab={form: id for id, form in enumerate(forms)}, merges=[]))
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(special, special=True) for special in SPECIALS])
    return tokenizer


TOKENIZER = make_tokenizer()
VOCABULARY = Vocabulary(
    lambda ids: str(TOKENIZER.decode(list(ids), skip_special_tokens=True)),
    spell_tokens(lambda ids: str(TOKENIZER.decode(list(ids), skip_special_tokens=False)), TOKENIZER.id_to_token),
    frozenset([END]),
    frozenset([END]),
    frozenset(SPECIALS),
)
WHOLE = [PIECES.index(piece) for piece in (b"a", b"b", b"ab", "€".encode())]


def open_output(log: list[Event], stops: Sequence[str] = (), **asked: Any) -> Output:
    """An Output whose clock counts, behind a prompt of whole characters."""
    clock = count(1.0)
    request = Request("ab", stop=tuple(stops), **{"max_new_tokens": None, "ignore_eos": True, **asked})
    return Output(request, WHOLE[:2], VOCABULARY, lambda *events: log.extend(events), lambda: next(clock), lambda: None)


def sample(id: int) -> SampledToken:
    return SampledToken(id, -0.5 - id, ((id, -0.5 - id), (3, -9.0)))


def write(ids: Sequence[int], stops: Sequence[str] = (), **asked: Any) -> list[Event]:
    """The log of these ids, of which the last is the last allowed one."""
    log: list[Event] = []
    output = open_output(log, stops, **{"max_new_tokens": len(ids), **asked})
    for id in ids:
        if not output.ended:
            output.accept(sample(id))
    return log


def tokens_of(log: Sequence[Event]) -> list[Token]:
    return [event for event in log if isinstance(event, Token)]


def read_bytes(tokens: Sequence[Token]) -> bytes:
    return b"".join(token.encode() for token in tokens)


def read_text(tokens: Sequence[Token]) -> str:
    return "".join(token.text for token in tokens)


ids = st.lists(st.integers(0, ROLE), min_size=1, max_size=14)
stop_lists = st.lists(st.text("ab€☃", min_size=1, max_size=4), max_size=4)
EURO = [PIECES.index(piece) for piece in (b"\xe2", b"\x82", b"\xac")]


@given(ids, stop_lists)
@example([0, *EURO, 1], ["a€☃"])
@example([0, *EURO, 1], ["€b"])
@example([3, 7, 1], ["€b"])
@example([8, 4, 9], ["€"])
@example([3, 0, 2], ["ab"])
@example([3, 11, 0], ["a"])
@example([3, 7, 1], ["☃b"])
@example([6, 3, 7, 2], ["☃a"])
def test_the_log_is_that_without_stop_strings_up_to_the_match(ids: list[int], stops: list[str]) -> None:
    plain, log = write(ids), write(ids, stops)
    text, tokens = read_text(tokens_of(plain)), tokens_of(log)
    starts = [at for stop in stops if (at := text.find(stop)) >= 0]
    if not starts:
        assert log == plain
        return
    done = log[-1]
    assert isinstance(done, Done)
    assert (done.finish_reason, done.generated_tokens) == ("stop_sequence", len(tokens))
    shown = read_text(tokens)
    assert any(text.startswith(stop, len(shown)) for stop in stops)
    assert not any(stop in shown for stop in stops)
    length = 0
    for number, (token, without) in enumerate(zip(tokens, tokens_of(plain), strict=False), 1):
        assert replace(token, text="", encoded=None, own=None) == replace(without, text="", encoded=None, own=None)
        assert token.candidate == without.candidate
        assert without.encode().startswith(token.encode())
        length += len(without.text)
        is_inside = VOCABULARY.decode(ids[:number]).endswith(BROKEN)
        assert token == without or length > len(shown) or is_inside


@given(ids, stop_lists)
def test_the_bytes_of_all_tokens_are_the_texts(ids: list[int], stops: list[str]) -> None:
    tokens = tokens_of(write(ids, stops))
    assert read_bytes(tokens).decode(errors="replace") == read_text(tokens)


@given(ids, stop_lists)
def test_a_token_is_held_back_only_while_a_stop_string_may_begin_in_it(ids: list[int], stops: list[str]) -> None:
    plain, log = tokens_of(write(ids, max_new_tokens=None)), list[Event]()
    output = open_output(log, stops)
    for number, id in enumerate(ids, 1):
        output.accept(sample(id))
        if output.ended:
            return
        text, logged = read_text(plain[:number]), tokens_of(log)
        assert logged == plain[: len(logged)]
        begun = max((size for stop in stops for size in range(len(stop)) if text.endswith(stop[:size])), default=0)
        is_inside = VOCABULARY.decode(ids[:number]).endswith(BROKEN)
        may_begin_inside = is_inside and any(not stop[0].isascii() for stop in stops)
        if len(logged) < number and not may_begin_inside:
            assert len(VOCABULARY.decode(ids[: len(logged) + 1])) > len(text) - begun


@pytest.mark.parametrize("part", [b"\xe2", b"a\xe2"])
def test_a_part_of_a_character_is_held_back_where_a_stop_string_may_begin_with_it(part: bytes) -> None:
    for stop, held in (("€b", True), ("☃", True), ("é", False), ("b", False), (f"{BROKEN}b", True)):
        log: list[Event] = []
        output = open_output(log, [stop])
        output.accept(sample(PIECES.index(part)))
        assert (log == []) == held, stop


def cut(*ids: int, stop: str, **asked: Any) -> list[tuple[str, bytes]]:
    """Text and bytes of each token, where the stop string ends the answer."""
    log = write(ids, [stop], **asked)
    done = log[-1]
    assert isinstance(done, Done)
    assert done.finish_reason == "stop_sequence"
    return [(token.text, token.encode()) for token in tokens_of(log)]


def test_a_stop_string_cuts_text_and_bytes_of_the_tokens_that_it_is_in() -> None:
    a, b, ab = 0, 1, 2
    assert cut(ab, ab, b, stop="babb") == [("a", b"a"), ("", b""), ("", b"")]
    assert cut(a, *EURO, stop="€") == [("a", b"a"), ("", b""), ("", b""), ("", b"")]
    assert cut(8, 4, 9, stop="€b") == [("a", b"a"), ("", b""), ("", b"")]
    # The sign is kept, and its bytes are those that its tokens have.
    assert cut(3, 4, 9, stop="b") == [("", b"\xe2"), ("", b"\x82"), ("€", b"\xac")]
    assert cut(3, ab, a, stop="ba") == [("", b"\xe2"), (f"{BROKEN}a", b"a"), ("", b"")]
    assert cut(a, b, 8, stop="ba") == [("a", b"a"), ("", b""), ("", b"")]


def test_a_cut_token_tells_its_own_text_beside_what_is_left_of_it() -> None:
    last = tokens_of(write([2, 2], ["ba"]))[0]
    assert (last.text, last.own) == ("a", Candidate(2, "ab", -2.5, False))


ENDS: list[tuple[list[int], dict[str, Any], FinishReason]] = [
    ([0, 1], {}, "length"),
    ([0, 1, END], {"ignore_eos": False}, "eos_token"),
    ([0, 1, END], {"ignore_eos": False, "max_new_tokens": 3}, "eos_token"),
    ([0, 1, 3], {}, "length"),
]


@pytest.mark.parametrize(("ids", "asked", "reason"), ENDS)
def test_an_end_in_the_middle_of_a_stop_string_gives_back_what_is_held(
    ids: list[int], asked: dict[str, Any], reason: FinishReason
) -> None:
    log = write(ids, ["abab", "b€a"], **asked)
    assert log == write(ids, **asked)
    assert log[-1] == Done(float(len(ids)), reason, len(ids))


def test_a_cancelled_or_failed_answer_has_all_tokens_that_were_sampled() -> None:
    for stops in ((), ("abab",)):
        cancelled, failed = list[Event](), list[Event]()
        outputs = open_output(cancelled, stops), open_output(failed, stops)
        for output in outputs:
            for id in (0, 1, 0):
                output.accept(sample(id))
        outputs[0].finish("cancelled")
        outputs[1].fail(error := EngineFailed("gone"))
        outputs[1].accept(sample(1))
        assert cancelled == [*tokens_of(write([0, 1, 0])), Done(4.0, "cancelled", 3)]
        assert failed == [*tokens_of(write([0, 1, 0])), Failed(4.0, error)]


def test_a_stop_string_that_only_the_end_completes_is_the_reason_of_the_end() -> None:
    assert cut(0, 3, stop=BROKEN) == [("a", b"a"), ("", b"")]
    assert cut(0, 3, END, stop=BROKEN, ignore_eos=False) == [("a", b"a"), ("", b""), ("", b"")]
    assert cut(0, 11, 1, stop=f"{BROKEN}b") == [("a", b"a"), ("", b""), ("", b"")]


def test_a_stop_string_may_be_or_hold_a_special_token() -> None:
    assert cut(0, END, stop="<end>") == [("a", b"a"), ("", b"")]
    assert cut(0, ROLE, 1, stop="<role>b") == [("a", b"a"), ("", b""), ("", b"")]
    assert cut(2, ROLE, 1, stop="b<role>") == [("a", b"a"), ("", b"")]
    # Where it stands in the way of one, the text without it still does not show that one.
    assert cut(0, ROLE, 1, stop="ab") == [("", b""), ("", b""), ("", b"")]
    assert write([0, ROLE, 0], ["<role>b", "role"]) == write([0, ROLE, 0])


def test_the_end_token_ends_an_answer_before_its_text_stops_it() -> None:
    done = write([0, END], ["<end>"], ignore_eos=False)[-1]
    assert done == Done(2.0, "eos_token", 2)


def test_alternatives_that_are_parts_of_characters_have_their_own_bytes() -> None:
    (token,) = tokens_of(write([0]))
    assert token.top == (Candidate(0, "a", -0.5, False), Candidate(3, BROKEN, -9.0, False, b"\xe2"))
    first, second, third = tokens_of(write(EURO))
    assert [each.own for each in (first, second)] == [
        Candidate(3, BROKEN, -3.5, False, b"\xe2"),
        Candidate(4, BROKEN, -4.5, False, b"\x82"),
    ]
    assert (third.text, third.encoded, third.top[0]) == ("€", b"\xac", third.own)
    assert tokens_of(write([ROLE]))[0].own == Candidate(ROLE, "<role>", -0.5 - ROLE, False)


def test_a_prompts_tokens_have_their_own_bytes() -> None:
    log: list[Event] = []
    output = Output(Request("€"), EURO, VOCABULARY, lambda *events: log.extend(events), lambda: 1.0, lambda: None)
    output.score([-1.0, -2.0])
    (read,) = log
    assert [(each.text, each.encoded, each.logprob) for each in read.tokens] == [  # type: ignore[union-attr]
        (BROKEN, b"\xe2", None),
        (BROKEN, b"\x82", -1.0),
        (BROKEN, b"\xac", -2.0),
    ]


def test_a_token_costs_no_more_however_many_before_it_end_inside_a_character() -> None:
    decoded: list[int] = []

    def decode(ids: Sequence[int]) -> str:
        decoded.append(len(ids))
        return VOCABULARY.decode(ids)

    detokenizer = Detokenizer(decode)
    assert [detokenizer.feed(PIECES.index(b"a\xe2")) for _ in range(300)] == ["a", *[f"{BROKEN}a"] * 299]
    assert max(decoded) <= 32


def test_an_answer_that_repeats_itself_ends_there_where_that_is_asked_for() -> None:
    ids = [3, *[0, 1] * SHORTEST_LOOP]
    log = write(ids, ends_loops=True)
    end = log[-1]
    assert isinstance(end, Done)
    assert (end.finish_reason, end.generated_tokens) == ("repetition", 1 + SHORTEST_LOOP)
    plain = write(ids)
    assert tokens_of(log) == tokens_of(plain)[: end.generated_tokens]
    assert isinstance(plain[-1], Done)
    assert (plain[-1].finish_reason, plain[-1].generated_tokens) == ("length", len(ids))


@given(st.lists(st.integers(0, len(PIECES) - 1), min_size=1, max_size=12), stop_lists.filter(bool))
def test_the_text_ends_with_the_stop_string_and_the_tokens_are_those_without(ids: list[int], stops: list[str]) -> None:
    kept, cut = write(ids, stops, keeps_stop=True), write(ids, stops)
    ends = [log[-1] for log in (kept, cut)]
    assert ends[0] == ends[1]
    assert isinstance(ends[0], Done)
    stop = ends[0].stop
    assert (stop is None) == (ends[0].finish_reason != "stop_sequence")
    assert read_text(tokens_of(kept)) == read_text(tokens_of(cut)) + (stop or "")
    assert [(each.time, each.id) for each in tokens_of(kept)] == [(each.time, each.id) for each in tokens_of(cut)]
    if BROKEN not in read_text(tokens_of(kept)):
        assert read_bytes(tokens_of(kept)).decode() == read_text(tokens_of(kept))


@pytest.mark.parametrize(
    ("stop", "texts"), [("a", ["a"]), ("b", ["a", "b"]), ("ba", ["a", "b", "a"]), ("bab", ["a", "b", "ab"])]
)
def test_a_token_is_cut_behind_the_stop_string(stop: str, texts: Sequence[str]) -> None:
    ids = [PIECES.index(piece) for piece in (b"a", b"b", b"ab", b"a")]
    assert [token.text for token in tokens_of(write(ids, [stop], keeps_stop=True))] == texts
