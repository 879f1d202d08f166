"""What came of a contest, as numbers: for each contestant its own, its ratios to this server, and its bound. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from demo.bench.contest.measures import NUMBERS, Number
from demo.bench.contest.prompts import TOPIC
from demo.bench.contest.turns import Played
from demo.bench.peers.contestant import Answer, Identity

_LEAST_WORDS = 20


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of the rounds, the least and the greatest."""

    median: float
    least: float
    greatest: float
    n: int


@dataclass(frozen=True, slots=True)
class Standing:
    """A contestant's numbers by key; `ratios`: those of this server over its own, paired by round.

    `is_reference`: it is this server, with which all are compared. `bound`: tokens per second of one stream if its
    weights were read at the memory's full speed and nothing else done; None where their size is not known.
    `tokens`: of the shortest answer that was measured for its speed.
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


def sum_up(
    identities: Sequence[Identity], played: Played, bandwidth: float, memories: Mapping[str, int | None]
) -> list[Standing]:
    """Everybody who took part in all of it."""
    ours = next((each.name for each in identities if each.is_ours), None)
    return [
        _stand(identity, ours, played, bandwidth, memories.get(identity.name))
        for identity in identities
        if identity.name in played.plain and identity.name not in played.left_out
    ]


def spread(values: Sequence[float]) -> Spread | None:
    """Of those values; None where there are none."""
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
    return next(
        (count for count, (one, other) in enumerate(pairs) if one != other),
        min(len(first.split()), len(second.split())),
    )


def find_best(forms: Sequence[Standing], key: str) -> Standing | None:
    """Of one peer's standings that with the better number, for ratios to it; None where none has a ratio."""
    found = [each for each in forms if key in each.ratios]
    pick = max if key.startswith("rate") else min
    return pick(found, key=lambda each: each.numbers[key].median, default=None)


def _stand(identity: Identity, ours: str | None, played: Played, bandwidth: float, memory: int | None) -> Standing:
    values = {number.key: _read(number, identity.name, played) for number in NUMBERS}
    reference = {number.key: _read(number, ours, played) for number in NUMBERS} if ours else {}
    ratios = {
        key: spread([reference[key][turn] / value for turn, value in found.items() if value and turn in reference[key]])
        for key, found in values.items()
        if reference
    }
    plain = played.plain[identity.name]
    singles = _collect("one", identity.name, played)
    return Standing(
        identity=identity,
        numbers={key: known for key, found in values.items() if (known := spread(list(found.values())))},
        ratios={key: known for key, known in ratios.items() if known},
        is_reference=identity.name == ours,
        bound=None if identity.weight_bytes is None else bandwidth / identity.weight_bytes,
        memory=memory,
        prompt_tokens=singles[0].prompt_tokens if singles else None,
        tokens=min((answer.tokens for answer in [*singles, *_collect("many", identity.name, played)]), default=None),
        answer=plain.text,
        oddity=find_oddity(plain),
    )


def _collect(measure: str, name: str, played: Played) -> list[Answer]:
    return [answer for found in played.rounds.get(measure, []) for answer in found.get(name, [])]


def _read(number: Number, name: str, played: Played) -> dict[int, float]:
    """The number in each round that has it."""
    found = enumerate(played.rounds.get(number.measure, []))
    values = {turn: number.read(answers[name]) for turn, answers in found if name in answers}
    return {turn: value for turn, value in values.items() if value is not None}
