"""The results for people: a table and sentences in Markdown. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from tests.comparison.curves import Curves, Point, fit_growth, format_growth
from tests.comparison.machine import Machine
from tests.comparison.measures import STAGGER, STREAMS
from tests.comparison.prompts import EXAMPLE_TOKENS, NEW_TOKENS, QUESTION
from tests.comparison.results import Example, Result, count_shared_words, find_best

BUSY = 0.5  # load average from which other processes may have disturbed the measurement
COLUMNS = (
    ("one stream, tokens/s", "rate", 1.0),
    ("TTFT, ms", "ttft", 1e3),
    (f"{STREAMS} streams, tokens/s in all", "rate_of_many", 1.0),
    ("their TTFT, ms", "ttft_of_many", 1e3),
    ("TTFT of 1,000 tokens, ms", "ttft_of_long", 1e3),
)


def write_table(results: Sequence[Result]) -> list[str]:
    """A row for each system: in brackets this server's number over its own; last the bound and the share reached."""
    titles = (title for title, _, _ in COLUMNS)
    bound = "bound of one stream: weights / bandwidth, tokens/s"
    return [*_write_head("system", "weights", *titles, "memory, MB", bound), *map(_write_result, results)]


def write_conditions(machine: Machine, rounds: int, date: str) -> str:
    """The conditions and definitions, as a paragraph."""
    sentences = (
        f"{machine.processor}, {machine.cores} cores, {machine.system}, {date}; memory bandwidth of all cores together "
        f"{machine.bandwidth / 1e9:.1f} GB/s; each system has one thread per core.",
        f"Greedy, {NEW_TOKENS} new tokens; prompts of about 40 tokens, each with a unique beginning.",
        "Q4_0 is made from the stored weights by gguf's quantizer: llama.cpp has its fastest kernels for it.",
        f"Median of {rounds} rounds in one run; the order is random for each measure of each round.",
        "Systems that are not being asked are stopped, except servers that ran already.",
        "Warm-up: a round that is dropped, and a short request before each measured one.",
        "One stream's speed is (n − 1) / (last − first token), several streams' all tokens / (first request to last "
        "token), “—” where a system answers one request at a time.",
        "In brackets: the number of this server with the weights as stored, over the system's own, paired by round.",
    )
    return " ".join(sentences)


def write_findings(
    results: Sequence[Result], left_out: Mapping[str, str], client: float | None, machine: Machine
) -> Iterator[str]:
    """Further findings, one sentence each."""
    if machine.load is not None and machine.load > BUSY:
        yield (
            f"BUSY: in the minute before, {machine.load:.1f} other processes wanted a core on average: the ratios may "
            "be off; measure again on an idle machine"
        )
    for result in results:
        if result.identity.is_ours and "unevenness" in result.numbers:
            yield _format_unevenness(result)
        if result.tokens is not None and result.tokens < NEW_TOKENS:
            name = result.identity.name
            yield f"{name} ended an answer after {result.tokens} tokens: its speeds count those that came"
    if client is not None:
        yield f"the client used at most {100 * client:.1f} % of one core while {STREAMS} streams ran"
    for name, why in left_out.items():
        yield f"left out: {name}. {why}"


def write_claims(results: Sequence[Result]) -> Iterator[str]:
    """For each peer, this server's numbers over those of the peer's better data type."""
    peers = dict.fromkeys(each.identity.peer for each in results if each.ratios and not each.identity.is_ours)
    if peers:
        yield "This server, with the weights as stored, over each peer with the data type that is better for it:"
    for peer in peers:
        yield f"- {peer}: {'; '.join(_list_claims([each for each in results if each.identity.peer == peer]))}."


def write_prefix_caching(results: Sequence[Result]) -> Iterator[str]:
    yield "Prefix caching, and how it is switched off:"
    names: dict[str, list[str]] = {}
    for result in results:
        names.setdefault(result.identity.prefix_caching, []).append(result.identity.name)
    for prefix_caching, those in names.items():
        yield f"- {', '.join(those)}: {prefix_caching}."


def write_answers(results: Sequence[Result]) -> Iterator[str]:
    """Each system's greedy answer to the plain question, and how many words of it are the same as this server's."""
    yield f"Greedy answers to “{QUESTION}” (a faster different answer is not faster):"
    ours = next((each.answer for each in results if each.identity.is_ours), None)
    for each in results:
        words = each.answer.split()
        count = 0 if ours is None else count_shared_words(ours, each.answer)
        shared = "" if ours is None else f"the first {count} of {len(words)} words as ours; "
        verdict = f"ODD: {each.oddity}" if each.oddity else "sane"
        yield f"- {each.identity.name} ({shared}{verdict}): {' '.join(words)[:160]} …"


def write_examples(examples: Sequence[Example]) -> Iterator[str]:
    """This server's answers to the page's prompts, with the weights as stored and in float32."""
    same = sum(example.stored == example.exact for example in examples)
    yield (
        f"This server's greedy answers to the page's prompts, {EXAMPLE_TOKENS} tokens, from the weights as stored and "
        f"in float32; {same} of {len(examples)} are the same:"
    )
    yield ""
    yield from _write_head("prompt", "as stored", "in float32", "words in common, from the first")
    for example in examples:
        shared = count_shared_words(example.stored, example.exact)
        texts = (" ".join(text.split()).replace("|", "\\|") for text in (example.prompt, example.stored, example.exact))
        yield _write_row(*texts, str(shared))


def write_curves(curves: Curves) -> Iterator[str]:
    """The cost curves as two tables, and whether a cost grows quadratically."""
    yield from _write_points("tokens of context", curves.lengths)
    yield ""
    yield from _write_points("streams at once", curves.rows)
    yield ""
    yield from write_list(_list_growths(curves))


def write_list(sentences: Iterable[str]) -> list[str]:
    return [f"- {each[0].upper()}{each[1:]}{'' if each.endswith(('.', '?', '!')) else '.'}" for each in sentences]


def format_value(value: float) -> str:
    """About three digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _list_claims(results: Sequence[Result]) -> Iterator[str]:
    """One for each column of the table."""
    for title, key, _ in COLUMNS:
        best = find_best(results, key)
        if best is not None:
            name = title.rpartition(", ")[0]  # without its unit
            yield f"{name} {format_value(best.ratios[key].median)} times ({best.identity.weights})"


def _list_growths(curves: Curves) -> Iterator[str]:
    for against, points in (("context", curves.lengths), ("number of streams", curves.rows)):
        sizes = [point.size for point in points]
        yield format_growth("time per token", against, fit_growth(sizes, [point.tpot for point in points]))
        memories = [float(point.memory) for point in points if point.memory is not None]
        if len(memories) == len(points):
            yield format_growth("peak memory", against, fit_growth(sizes, memories))
    long, longest = next(point for point in curves.lengths if point.size > 500), curves.lengths[-1]
    slower = (longest.ttft / longest.size) / (long.ttft / long.size)
    yield f"each token of a prompt of {longest.size:,} took {slower:.2f} times as long to read as one of {long.size:,}"


def _write_result(result: Result) -> str:
    identity = result.identity
    cells = [_format_number(result, key, factor) for _, key, factor in COLUMNS]
    memory = "—" if result.memory is None else f"{result.memory / 1e6:.0f}"
    rate = result.numbers.get("rate")
    bound = "—"
    if identity.weight_bytes is not None and result.bound is not None:
        reached = f" ({100 * rate.median / result.bound:.0f} % reached)" if rate else ""
        bound = f"{identity.weight_bytes / 1e6:.0f} MB: {result.bound:.0f}{reached}"
    name = f"**{identity.name}**" if identity.is_ours else identity.name
    odd = ", ODD ANSWERS" if result.oddity else ""
    return _write_row(f"{name} {identity.version}, {identity.interface}{odd}", identity.weights, *cells, memory, bound)


def _format_number(result: Result, key: str, factor: float) -> str:
    number = result.numbers.get(key)
    if number is None:
        return "—"
    ratio = result.ratios.get(key)
    compared = f" ({format_value(ratio.median)}×)" if ratio and not result.is_reference else ""
    return f"{format_value(number.median * factor)}{compared}"


def _write_points(size: str, points: Sequence[Point]) -> Iterator[str]:
    yield from _write_head(size, *(f"{point.size:,}" for point in points))
    yield _write_row("time per token, ms", *(format_value(point.tpot * 1e3) for point in points))
    yield _write_row("TTFT, ms", *(format_value(point.ttft * 1e3) for point in points))
    yield _write_row("peak memory, MB", *("—" if p.memory is None else f"{p.memory / 1e6:.0f}" for p in points))


def _format_unevenness(result: Result) -> str:
    whole, joining = result.numbers["unevenness"], result.numbers.get("unevenness_while_joining")
    until = f", {joining.median:.2f} of the gaps until the last had joined" if joining else ""
    return (
        f"{STREAMS} streams that joined {result.identity.name} {STAGGER} s apart: the worst one's p95 gap was "
        f"{whole.median:.2f} times its median, of all gaps{until}"
    )


def _write_head(*titles: str) -> list[str]:
    return [_write_row(*titles), "|" + "---|" * len(titles)]


def _write_row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
