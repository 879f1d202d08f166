"""The contest for people: a table and sentences in Markdown, ready for a README. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from demo.bench.contest.curves import Curves, Point
from demo.bench.contest.examples import EXAMPLE_TOKENS, Example
from demo.bench.contest.growth import fit_growth, say_growth
from demo.bench.contest.machine import Machine
from demo.bench.contest.measures import APART, STREAMS
from demo.bench.contest.prompts import NEW_TOKENS, QUESTION
from demo.bench.contest.result import Standing, count_shared_words

BUSY = 0.5  # load average from which others are said to have disturbed
COLUMNS = (
    ("one stream, tokens/s", "rate", 1.0),
    ("TTFT, ms", "ttft", 1e3),
    (f"{STREAMS} streams, tokens/s in all", "rate_of_many", 1.0),
    ("their TTFT, ms", "ttft_of_many", 1e3),
    ("TTFT of 1,000 tokens, ms", "ttft_of_long", 1e3),
)


def write_table(standings: Sequence[Standing]) -> list[str]:
    """A line for each; in brackets this server's number over its own; last the bound and the share of it reached."""
    titles = [
        "contestant",
        "weights",
        *(title for title, _, _ in COLUMNS),
        "memory, MB",
        "bound of one stream: weights / bandwidth, tokens/s",
    ]
    return [*_write_head(titles), *(_write_standing(each) for each in standings)]


def write_conditions(machine: Machine, rounds: int, date: str) -> str:
    """What a reader of the numbers must know, in a paragraph."""
    sentences = (
        f"{machine.processor}, {machine.cores} cores, {machine.system}, {date}; memory is read at "
        f"{machine.bandwidth / 1e9:.1f} GB/s by all cores; each model has as many threads.",
        f"Greedy, {NEW_TOKENS} new tokens; prompts of about 40 tokens begin like no other: no earlier one is reused.",
        "Q4_0 is made of the stored form by gguf's quantizer: llama.cpp has its fastest kernels for it.",
        f"Median of {rounds} rounds in one run; the order is drawn anew for each measure of each round.",
        "Who is not asked is stopped, but for servers that ran already.",
        "All are warmed up: a round is dropped, and a short request before each measured one.",
        "One stream's speed is (n − 1) / (last − first token), several streams' all tokens / (first request to last "
        "token), “—” where one is answered at a time.",
        "In brackets: this server's number, of the weights as stored, over the contestant's, paired by round.",
    )
    return " ".join(sentences)


def say_all(
    standings: Sequence[Standing], left_out: Mapping[str, str], client: float | None, machine: Machine
) -> Iterator[str]:
    """What else to know, each in a sentence."""
    if machine.load is not None and machine.load > BUSY:
        yield (
            f"BUSY: in the minute before, {machine.load:.1f} other processes wanted a core on average: the ratios may "
            "be off; measure again on an idle machine"
        )
    for standing in standings:
        if standing.identity.is_ours and "unevenness" in standing.numbers:
            yield _say_unevenness(standing)
        if standing.tokens is not None and standing.tokens < NEW_TOKENS:
            name = standing.identity.name
            yield f"{name} ended an answer after {standing.tokens} tokens: its speeds count those that came"
    if client is not None:
        yield f"the client used at most {100 * client:.1f} % of one core while {STREAMS} streams ran"
    for name, why in left_out.items():
        yield f"left out: {name}. {why}"


def write_answers(standings: Sequence[Standing]) -> Iterator[str]:
    """Everybody's greedy answer to the plain question, and how far it is the same as this server's."""
    yield f"Greedy answers to “{QUESTION}” (a faster different answer is not faster):"
    ours = next((each.answer for each in standings if each.identity.is_ours), None)
    for each in standings:
        words = len(each.answer.split())
        shared = "" if ours is None else f"the first {count_shared_words(ours, each.answer)} of {words} words as ours; "
        verdict = f"ODD: {each.oddity}" if each.oddity else "sane"
        yield f"- {each.identity.name} ({shared}{verdict}): {' '.join(each.answer.split())[:160]} …"


def write_examples(examples: Sequence[Example]) -> Iterator[str]:
    """This server's answers to the page's prompts, the weights as stored beside the same in float32."""
    same = sum(example.stored == example.exact for example in examples)
    yield (
        f"This server's greedy answers to the page's prompts, {EXAMPLE_TOKENS} tokens, from the weights as stored and "
        f"in float32; {same} of {len(examples)} are the same:"
    )
    yield ""
    yield from _write_head(["prompt", "as stored", "in float32", "words in common, from the first"])
    for example in examples:
        shared = count_shared_words(example.stored, example.exact)
        texts = (" ".join(text.split()).replace("|", "\\|") for text in (example.prompt, example.stored, example.exact))
        yield _write_line([*texts, str(shared)])


def write_curves(curves: Curves) -> Iterator[str]:
    """The cost curves as two tables, and whether anything grows quadratically."""
    yield from _write_points("tokens of context", curves.lengths)
    yield ""
    yield from _write_points("streams at once", curves.rows)
    yield ""
    yield from write_list(say_curves(curves))


def say_curves(curves: Curves) -> Iterator[str]:
    """How time and memory grow."""
    for against, points in (("context", curves.lengths), ("number of streams", curves.rows)):
        sizes = [point.size for point in points]
        yield say_growth("time per token", against, fit_growth(sizes, [point.tpot for point in points]))
        memories = [point.memory for point in points if point.memory is not None]
        if len(memories) == len(points):
            yield say_growth("memory at its greatest", against, fit_growth(sizes, [float(each) for each in memories]))
    long, longest = next(point for point in curves.lengths if point.size > 500), curves.lengths[-1]
    slower = (longest.ttft / longest.size) / (long.ttft / long.size)
    yield f"each token of a prompt of {longest.size:,} took {slower:.2f} times as long to read as one of {long.size:,}"


def write_list(sentences: Iterator[str]) -> list[str]:
    """As items of a list."""
    return [f"- {_capitalize(sentence)}{'' if sentence.endswith(('.', '?', '!')) else '.'}" for sentence in sentences]


def _write_standing(standing: Standing) -> str:
    identity = standing.identity
    cells = [_write_number(standing, key, factor) for _, key, factor in COLUMNS]
    memory = "—" if standing.memory is None else f"{standing.memory / 1e6:.0f}"
    rate = standing.numbers.get("rate")
    bound = "—"
    if identity.weight_bytes is not None and standing.bound is not None:
        reached = f" ({100 * rate.median / standing.bound:.0f} % reached)" if rate else ""
        bound = f"{identity.weight_bytes / 1e6:.0f} MB: {standing.bound:.0f}{reached}"
    name = f"**{identity.name}**" if identity.is_ours else identity.name
    odd = ", ODD ANSWERS" if standing.oddity else ""
    return _write_line([f"{name} {identity.version}, {identity.way}{odd}", identity.weights, *cells, memory, bound])


def _write_number(standing: Standing, key: str, factor: float) -> str:
    number = standing.numbers.get(key)
    if number is None:
        return "—"
    ratio = standing.ratios.get(key)
    compared = f" ({write_value(ratio.median)}×)" if ratio and not standing.is_reference else ""
    return f"{write_value(number.median * factor)}{compared}"


def _write_points(size: str, points: Sequence[Point]) -> Iterator[str]:
    yield from _write_head([size, *(f"{point.size:,}" for point in points)])
    yield _write_line(["time per token, ms", *(write_value(point.tpot * 1e3) for point in points)])
    yield _write_line(["TTFT, ms", *(write_value(point.ttft * 1e3) for point in points)])
    memories = ["—" if point.memory is None else f"{point.memory / 1e6:.0f}" for point in points]
    yield _write_line(["memory at its greatest, MB", *memories])


def _say_unevenness(standing: Standing) -> str:
    whole, joining = standing.numbers["unevenness"], standing.numbers.get("unevenness_while_joining")
    until = f", {joining.median:.2f} of the gaps until the last had joined" if joining else ""
    return (
        f"{STREAMS} streams that joined {standing.identity.name} {APART} s apart: the worst one's p95 gap was "
        f"{whole.median:.2f} times its median, of all gaps{until}"
    )


def write_value(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _write_head(titles: Sequence[str]) -> list[str]:
    return [_write_line(titles), "|" + "---|" * len(titles)]


def _write_line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _capitalize(sentence: str) -> str:
    return f"{sentence[0].upper()}{sentence[1:]}"
