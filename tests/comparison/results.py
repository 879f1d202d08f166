"""The results as numbers: of each system its own, its ratios to this server, and its bound. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from statistics import median

from tests.comparison.measures import NUMBERS, Number
from tests.comparison.prompts import TOPIC
from tests.comparison.rounds import Outcome
from tests.comparison.systems.system import Answer, Identity

_LEAST_WORDS = 20


@dataclass(frozen=True, slots=True)
class Spread:
    """The median, minimum and maximum of the rounds."""

    median: float
    least: float
    greatest: float
    n: int


@dataclass(frozen=True, slots=True)
class Result:
    """A system's numbers by key; `ratios`: this server's numbers over its own, paired by round.

    `is_reference`: it is this server, with which all are compared. `bound`: tokens per second of one stream if reading
    the weights at full memory bandwidth were its only cost; None where their size is not known. `tokens`: of the
    shortest answer whose speed was measured. `oddity`: what is wrong with `answer`, its text for the plain question.
    """

    identity: Identity
    numbers: Mapping[str, Spread]
    ratios: Mapping[str, Spread]
    is_reference: bool
    bound: float | None
    memory: int | None
    prompt_tokens: int | None
    tokens: int | None
    answer: str
    oddity: str | None


@dataclass(frozen=True, slots=True)
class Example:
    """One of the page's example prompts, and the answers to it with the weights as stored and in float32."""

    prompt: str
    stored: str
    exact: str


def summarize(
    identities: Sequence[Identity], outcome: Outcome, bandwidth: float, memories: Mapping[str, int | None]
) -> list[Result]:
    """The results of all systems that took part to the end."""
    ours = next((each.name for each in identities if each.is_ours), None)
    return [
        _summarize_system(identity, ours, outcome, bandwidth, memories.get(identity.name))
        for identity in identities
        if identity.name in outcome.plain and identity.name not in outcome.left_out
    ]


def spread(values: Sequence[float]) -> Spread | None:
    """The spread of the values; None where there are none."""
    return Spread(median(values), min(values), max(values), len(values)) if values else None


def find_oddity(answer: Answer) -> str | None:
    """What is wrong with an answer to the plain question; None where it is words about the topic."""
    words = answer.text.split()
    if len(words) < _LEAST_WORDS:
        return f"only {len(words)} words"
    if not any(word in answer.text.lower() for word in TOPIC):
        return f"nothing of {', '.join(TOPIC)}"
    plain = sum(letter.isascii() and (letter.isalpha() or letter.isspace()) for letter in answer.text)
    if plain < 0.8 * len(answer.text):
        return "more signs than words"
    if len(set(words)) < len(words) / 4:
        return "the same words again and again"
    return None


def count_shared_words(first: str, second: str) -> int:
    """How many words two texts have in common from the beginning."""
    pairs = zip(first.split(), second.split(), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def find_best(results: Sequence[Result], key: str) -> Result | None:
    """Of one peer's results, the one with the better number; None where none has a ratio."""
    found = [each for each in results if key in each.ratios]
    pick = max if key.startswith("rate") else min
    return pick(found, key=lambda each: each.numbers[key].median, default=None)


def _summarize_system(
    identity: Identity, ours: str | None, outcome: Outcome, bandwidth: float, memory: int | None
) -> Result:
    numbers: dict[str, Spread] = {}
    ratios: dict[str, Spread] = {}
    for number in NUMBERS:
        values, reference = (_compute(number, name, outcome) for name in (identity.name, ours or ""))
        paired = [reference[index] / value for index, value in values.items() if value and index in reference]
        for found, known in ((numbers, list(values.values())), (ratios, paired)):
            if (summary := spread(known)) is not None:
                found[number.key] = summary
    singles = _collect("one", identity.name, outcome)
    return Result(
        identity=identity,
        numbers=numbers,
        ratios=ratios,
        is_reference=identity.name == ours,
        bound=None if identity.weight_bytes is None else bandwidth / identity.weight_bytes,
        memory=memory,
        prompt_tokens=singles[0].prompt_tokens if singles else None,
        tokens=min((answer.tokens for answer in [*singles, *_collect("many", identity.name, outcome)]), default=None),
        answer=outcome.plain[identity.name].text,
        oddity=find_oddity(outcome.plain[identity.name]),
    )


def _collect(measure: str, name: str, outcome: Outcome) -> list[Answer]:
    return [answer for found in outcome.rounds.get(measure, []) for answer in found.get(name, [])]


def _compute(number: Number, name: str, outcome: Outcome) -> dict[int, float]:
    """The number in each round that has it."""
    rounds = enumerate(outcome.rounds.get(number.measure, []))
    values = {index: number.compute(answers[name]) for index, answers in rounds if name in answers}
    return {index: value for index, value in values.items() if value is not None}
