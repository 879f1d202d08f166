"""A model's reasoning told apart from its answer, token by token: the one rule of the API and the page. Pure.

Tags are `<think>…</think>` (Qwen3, SmolLM3, DeepSeek-R1); harmony is gpt-oss's channels, of which only `final` is the
answer. Only who renders the chat template knows how an answer begins: `Started.reasoning` says it. An engine elsewhere
may have told them apart itself, without marks.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from demo.events import Event, ReasoningStart, Started, Token

Kind: TypeAlias = Literal["reasoning", "answer", "mark"]

OPENING: Final = "<think>"
CLOSING: Final = "</think>"
CHANNEL: Final = "<|channel|>"
MESSAGE: Final = "<|message|>"
FINAL: Final = "final"
ENDS: Final = ("<|end|>", "<|return|>", "<|call|>", "<|start|>", CHANNEL)  # of a harmony message
MARK_BEGINNING: Final = "<"  # of all of them
MARKS: Final[dict[ReasoningStart, frozenset[str]]] = {
    "none": frozenset(),
    "tags": frozenset((OPENING, CLOSING)),
    "open": frozenset((OPENING, CLOSING)),
    "inside": frozenset((OPENING, CLOSING)),
    "harmony": frozenset((CHANNEL, MESSAGE, *ENDS)),
    "analysis": frozenset((CHANNEL, MESSAGE, *ENDS)),
    "told": frozenset(),
}
# The kind of the first text, where that is known.
KNOWN: Final[dict[ReasoningStart, Kind]] = {"none": "answer", "inside": "reasoning", "analysis": "reasoning"}


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of what the model wrote. Marks, and the space before what follows them, are of neither side."""

    kind: Kind
    text: str


class ReasoningParser:
    """Splits one answer. The parts of all tokens and of the end, joined, are the tokens' texts, with special marks."""

    def __init__(self, start: ReasoningStart) -> None:
        self._start = start
        self._is_harmony = start in ("harmony", "analysis")
        self._is_told = start == "told"
        self.kind: Kind | None = KNOWN.get(start)  # of the next text; None: undecided, before a text or in a header
        self._default: Kind = "reasoning" if start == "open" else "answer"  # of what begins without a mark
        self._begun = start in ("open", "inside", "analysis")
        self._is_spaced = start == "open"  # whether the space at the beginning belongs to the mark before it
        self._held = ""
        self._before_answer = 0  # tokens, those between two parts of the reasoning included

    @property
    def reasoning_tokens(self) -> int:
        """How many tokens are of the reasoning or its marks; 0 where the model began to answer at once."""
        return self._before_answer if self._begun else 0

    def feed(self, token: Token) -> tuple[Part, ...]:
        """The parts that this token completes: an end that may begin a mark is held back."""
        before, text = self.kind, read_raw(token, self._start)
        if before is not None and MARK_BEGINNING not in text and not (self._held or self._is_spaced or self._is_told):
            self._before_answer += before != "answer"
            return (Part(before, text),) if text else ()
        self._held += text
        parts = tuple(self._take_told(token.reasoned) if self._is_told else self._take())
        self._before_answer += before != "answer" and all(part.kind != "answer" for part in parts)
        return parts

    def end(self) -> tuple[Part, ...]:
        """The parts that are left when no token follows."""
        held, self._held = self._held, ""
        kind: Kind = self.kind or ("mark" if self._begun and self._is_harmony else self._default)
        return (Part(kind, held),) if held else ()

    def _take_told(self, reasoned: int) -> Iterable[Part]:
        if self._held[:reasoned]:
            self._begin("reasoning")
            yield from self._cut(reasoned, "reasoning")
        if self._held:
            self.kind = "answer"
            yield from self._cut(len(self._held), "answer")

    def _take(self) -> Iterable[Part]:
        while self._held:
            parts, held = tuple(self._step()), self._held
            yield from parts
            if not parts or not held:
                return

    def _step(self) -> Iterable[Part]:
        """The next parts of what is held; none where more text must come first."""
        if self._is_spaced and (space := self._held[: len(self._held) - len(self._held.lstrip())]):
            return self._cut(len(space), "mark")
        self._is_spaced = False
        if self.kind is None:
            return self._read_header() if self._is_harmony else self._read_beginning()
        if self.kind == "answer" and not self._is_harmony:
            return self._cut(len(self._held), "answer")
        return self._read_text(ENDS if self._is_harmony else (CLOSING,))

    def _read_beginning(self) -> Iterable[Part]:
        """Tags: an opening one, after any space; else the text has begun."""
        start = self._held.lstrip()
        if start.startswith(OPENING):
            self._begin("reasoning")
            return self._cut(len(self._held) - len(start) + len(OPENING), "mark", is_spaced=True)
        if not OPENING.startswith(start):
            self.kind = self._default
            return self._read_text((CLOSING,)) if self.kind == "reasoning" else self._cut(len(self._held), "answer")
        return ()

    def _read_header(self) -> Iterable[Part]:
        """Harmony: the header of a message, up to its mark; a model may also answer without any."""
        if not self._begun and not CHANNEL.startswith(self._held[: len(CHANNEL)]):
            self.kind = "answer"
            return self._read_text(ENDS)
        header, mark, _ = self._held.partition(MESSAGE)
        if not mark:
            return ()
        channel = re.split(r"[\s<]", header.rpartition(CHANNEL)[2].lstrip(), maxsplit=1)[0]
        self._begin("answer" if channel == FINAL else "reasoning")
        return self._cut(len(header + mark), "mark")

    def _read_text(self, marks: Sequence[str]) -> Iterable[Part]:
        """The text up to the first of `marks`, or to a possible beginning of one."""
        assert self.kind is not None
        found = [at for mark in marks if (at := self._held.find(mark)) >= 0]
        if not found:
            return self._cut(len(self._held) - max(measure_overlap(self._held, mark) for mark in marks), self.kind)
        if at := min(found):
            return self._cut(at, self.kind)
        if self._is_harmony:
            self._begun, self.kind = True, None
            return self._read_header()
        self.kind = "answer"
        return self._cut(len(CLOSING), "mark", is_spaced=True)

    def _begin(self, kind: Kind) -> None:
        self._begun, self.kind = True, kind

    def _cut(self, length: int, kind: Kind, is_spaced: bool = False) -> Iterable[Part]:
        text, self._held = self._held[:length], self._held[length:]
        self._is_spaced = self._is_spaced or is_spaced
        return (Part(kind, text),) if text else ()


def measure_overlap(text: str, mark: str) -> int:
    """How many characters at the end of `text` are a beginning of `mark`, and not all of it."""
    at = max(len(text) - len(mark), -1)
    while (at := text.find(mark[0], at + 1)) >= 0:
        if mark.startswith(text[at:]):
            return len(text) - at
    return 0


def read_raw(token: Token, start: ReasoningStart) -> str:
    """The text of a token with that of a mark, which is a special token in some vocabularies."""
    return own if token.special and (own := token.candidate.text) in MARKS[start] else token.text


def continue_start(start: ReasoningStart, begun: str) -> ReasoningStart:
    """How an answer goes on whose text so far is `begun`."""
    parser = ReasoningParser(start)
    parser.feed(Token(0.0, 1, None, begun, None, special=False))
    if parser.kind == "reasoning":
        return "analysis" if start == "harmony" else "inside"
    return "none" if parser.kind == "answer" else start


def find_start(events: Sequence[Event]) -> ReasoningStart:
    return next((event.reasoning for event in events if isinstance(event, Started)), "none")


def split_tokens(start: ReasoningStart, tokens: Sequence[Token], is_complete: bool) -> list[tuple[Part, ...]]:
    """The parts of each token; where the answer `is_complete`, the last has all that was held back."""
    parser = ReasoningParser(start)
    parts = [parser.feed(token) for token in tokens]
    if is_complete and parts:
        parts[-1] += parser.end()
    return parts


def join_kind(parts: Iterable[Part], kind: Kind) -> str:
    return "".join(part.text for part in parts if part.kind == kind)


def find_answer_token(start: ReasoningStart, tokens: Sequence[Token]) -> Token | None:
    """The first token of the answer of a model that has reasoned before it; None where it has not, or not yet."""
    if start == "none":
        return None
    parser, has_reasoned = ReasoningParser(start), False
    for token in tokens:
        kinds = [part.kind for part in parser.feed(token)]
        has_reasoned = has_reasoned or "reasoning" in kinds
        if "answer" in kinds:
            return token if has_reasoned else None
    return None
