"""Is streaming slower? As a person runs it: what is asked, in which order, and what is said of the numbers."""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from statistics import fmean

import pytest
from playwright.sync_api import Browser, expect

from demo.engine import Ready
from demo.errors import Overloaded
from demo.interval import estimate_mean, t_quantile
from tests.browser.conftest import WORDS, Stage
from tests.browser.race import BUSY, answer, begin
from tests.browser.station import Station, took
from tests.browser.tab import Tab, Tabs, open_tabs, read_seconds
from tests.scripted import CARD, ScriptedEngine, TypingEngine


class Pairs(Station):
    """The station of the pairs, how many, and the shorter answers."""

    def __init__(self, tab: Tab, pairs: int = 4) -> None:
        super().__init__(tab, "pairs")
        expect(self.find("plan")).not_to_be_empty()
        self.find("count").fill(str(pairs))
        self.find("length").select_option("32")

    @property
    def orders(self) -> list[tuple[str, str]]:
        """Of each pair of requests, the warm-up's first, which mode went first and which second."""
        return list(zip(self.modes[::2], self.modes[1::2], strict=True))

    @property
    def rows(self) -> list[list[str]]:
        """The table of each pair."""
        return self.read_rows("rows")

    @property
    def means(self) -> dict[str, list[float]]:
        """The table of the means: for each unit the mean, and where its interval begins and ends."""
        rows = self.read_rows("table")
        return {unit: [read_signed(text) for text in (mean, *interval.split(" to "))] for unit, mean, interval in rows}


@pytest.fixture(scope="module")
def finished(browser: Browser, typing_url: str) -> Iterator[Pairs]:
    """Four pairs that have come to their end, for tests that only read."""
    with open_tabs(browser) as open_tab:
        station = Pairs(open_tab(typing_url))
        station.run()
        yield station


def read_signed(text: str) -> float:
    """ "−1.2" as a number."""
    return float(text.replace("−", "-"))


def find_rounding(text: str) -> float:
    """How many seconds "72 ms" or "1.24 s" may be off: half of what its last digit counts."""
    number, unit = text.split()
    return 0.5 * 10.0 ** -len(number.partition(".")[2]) / (1000 if unit == "ms" else 1)


def test_both_orders_are_asked_greedily_past_the_end_token_after_a_warm_up_pair(stage: Stage) -> None:
    engine = TypingEngine(WORDS, 0)
    station = Pairs(stage.show(engine), pairs=12)
    station.find("speed").select_option("real")  # the page may have seen a fast model, and have slowed it
    station.run()
    warm_up, *orders = station.orders
    assert set(warm_up) == {"streamed", "whole"}
    assert Counter(orders) == {("streamed", "whole"): 6, ("whole", "streamed"): 6}
    asked = [ticket.request for ticket in engine.tickets]
    assert len(asked) == len(station.asked) == 26
    assert {request.max_new_tokens for request in asked} == {32}
    assert all(request.ignore_eos and not request.sampling.is_random for request in asked)
    assert not any(request.cache_prompt for request in asked)
    assert len({request.prompt for request in asked}) == 1
    assert {request.pace for request in asked} == {None}
    sent = [json.loads(request.post_data or "")["parameters"] for request in station.asked]
    assert {parameters["cache_prompt"] for parameters in sent} == {False}


def test_the_table_is_of_the_requests_made_without_the_warm_up(finished: Pairs) -> None:
    counted = finished.asked[2:]
    assert len(finished.rows) == 4
    for number, (pair, first, tokens, streamed, whole, less, texts) in enumerate(finished.rows):
        requests = counted[2 * number : 2 * number + 2]
        modes = finished.modes[2 * number + 2 :]
        by_mode = dict(zip(modes, map(took, requests), strict=False))
        assert (pair, first, tokens, texts) == (str(number + 1), modes[0], "32", "equal")
        assert read_seconds(streamed) == pytest.approx(by_mode["streamed"], abs=0.25)
        assert read_seconds(whole) == pytest.approx(by_mode["whole"], abs=0.25)
        assert min(read_seconds(streamed), read_seconds(whole)) >= 0.95 * 32 * 0.02
        difference = 1000 * (read_seconds(streamed) - read_seconds(whole))
        assert read_signed(less.removesuffix(" ms")) == pytest.approx(difference, abs=10.1)
    expect(finished.find("status")).to_contain_text("Done: 4 pairs, after a warm-up pair that was dropped.")


def test_the_interval_and_the_sentence_are_those_of_the_table(finished: Pairs) -> None:
    found = estimate_mean([read_signed(row[5].removesuffix(" ms")) for row in finished.rows])
    whole = fmean(read_seconds(row[4]) for row in finished.rows)
    # The rows are rounded: 0.05 ms in each difference move the mean and its margin, and the whole's mean is off too.
    off = 0.05 * (1 + t_quantile(3) / math.sqrt(3))
    whole_off = fmean(find_rounding(row[4]) for row in finished.rows)
    assert list(finished.means) == ["in ms", "in % of the whole's mean"]
    in_ms, in_percent = finished.means.values()
    for value, ms, percent in zip((found.mean, found.low, found.high), in_ms, in_percent, strict=True):
        assert ms == pytest.approx(value, abs=off + 0.05)
        percent_off = 0.1 * (off + abs(value) * whole_off / whole) / (whole - whole_off)
        assert percent == pytest.approx(0.1 * value / whole, abs=percent_off + 0.05)
    said = finished.find("verdict").inner_text()
    if said.startswith("At real speed: no difference seen"):
        (bound,) = re.findall(r"±([\d.]+) %", said)
        assert float(bound) == pytest.approx(max(-in_percent[1], in_percent[2]) + 0.05, abs=0.051)  # rounded up
    else:
        word = "slower" if found.mean > 0 else "faster"
        assert re.fullmatch(
            rf"At real speed: streaming was [\d.]+ % {word} \(95 % interval [\d.]+ to [\d.]+ %\)\.", said
        )
    expect(finished.find("texts")).to_have_text("The streamed and the whole text were equal in all 4 pairs.")
    expect(finished.find("meaning")).to_contain_text("about 95 of the hundred intervals would hold the true")


def test_the_chart_has_a_dot_for_each_pair_and_the_interval_around_their_mean(finished: Pairs) -> None:
    plot = finished.tab.page.locator("#pairs-chart .plot")
    drawn = plot.evaluate("(plot) => plot.data.map(({ name, x, y }) => [name ?? 'low', [...x], [...y]])")
    (_, _, low), (band, _, high), (mean, _, middle), *dots = drawn
    assert (band, mean, [name for name, _, _ in dots]) == (
        "95 % interval",
        "mean",
        ["a pair, streamed first", "a pair, whole first"],
    )
    by_pair = {pair: y for _, x, y in dots for pair, y in zip(x, y, strict=True)}
    assert sorted(by_pair) == [1, 2, 3, 4]
    for number, row in enumerate(finished.rows, 1):
        assert by_pair[number] == pytest.approx(read_signed(row[5].removesuffix(" ms")), abs=0.051)
    expected = estimate_mean(list(by_pair.values()))
    assert (low[0], middle[0], high[0]) == pytest.approx((expected.low, expected.mean, expected.high))
    assert finished.find("verdict").inner_text() in (plot.get_attribute("aria-label") or "")


def test_nothing_is_said_of_one_pair_and_a_sentence_of_two(tab: Tab, engine: ScriptedEngine) -> None:
    station = Pairs(tab)
    verdict, status = station.find("verdict"), station.find("status")
    station.begin()
    expect(status).to_have_text("Warming up: a pair that is dropped.")
    for number in range(1, 5):
        answer(engine.wait_for_ticket(number), "One ", "two")
    expect(status).to_contain_text("Pair 2 of 4; about")
    assert len(station.rows) == 1
    expect(verdict).to_be_hidden()
    for number in (5, 6):
        answer(engine.wait_for_ticket(number), "One ", "two")
    expect(status).to_contain_text("Pair 3 of 4; about")
    expect(verdict).to_have_text(re.compile("^At real speed: (no difference seen beyond|streaming was) "))
    expect(station.find("texts")).to_contain_text("equal in all 2 pairs")
    engine.wait_for_ticket(7)
    station.find("stop").click()
    station.wait()


def test_texts_that_differ_are_counted_and_said(tab: Tab, engine: ScriptedEngine) -> None:
    station = Pairs(tab)
    station.begin()
    for number in range(1, 11):
        answer(engine.wait_for_ticket(number), "One ", "another" if number == 6 else "two")
    station.wait()
    expect(station.find("texts")).to_have_text(
        "The texts differed in 1 of 4 pairs: a faster different answer is not faster."
    )
    assert [row[6] for row in station.rows] == ["equal", "differ", "equal", "equal"]
    assert [row[2] for row in station.rows] == ["2"] * 4  # what came, not the 32 that were asked for


def test_stop_aborts_the_request_under_way_and_keeps_the_pairs_there_are(tab: Tab, engine: ScriptedEngine) -> None:
    station = Pairs(tab)
    station.begin()
    for number in range(1, 8):
        answer(engine.wait_for_ticket(number), "One ", "two")
    under_way = begin(engine, number=8)
    said = station.find("verdict").inner_text()
    station.find("stop").click()
    assert under_way.stopped.wait(20)
    assert under_way.cancelled
    station.wait()
    expect(station.find("status")).to_have_text("Stopped.")
    assert len(engine.tickets) == 8
    assert len(station.rows) == 2
    assert station.find("verdict").inner_text() == said != ""


def test_a_refused_request_is_one_sentence_and_keeps_what_was_measured_before(stage: Stage) -> None:
    engine = TypingEngine(WORDS, 0)
    station = Pairs(stage.show(engine))
    station.run()
    said = station.find("verdict").inner_text()
    engine.refusal = Overloaded(BUSY)
    station.run()
    expect(station.find("status")).to_have_text(BUSY)
    assert station.find("verdict").inner_text() == said
    assert len(station.rows) == 4
    station.tab.expect_complaint(429)


def test_it_says_how_much_is_asked_for_as_the_dials_are_turned(typing_tab: Tab) -> None:
    station = Pairs(typing_tab)
    plan = station.find("plan")
    station.find("count").fill("10")
    expect(station.find("count-shown")).to_have_text("10")
    expect(plan).to_contain_text("22 requests, 704 tokens in all")
    station.find("length").select_option("64")
    expect(plan).to_contain_text("22 requests, 1,408 tokens in all")
    limits = station.find("count").evaluate("(dial) => [dial.min, dial.max, dial.defaultValue]")
    assert limits == ["4", "40", "24"]


def test_the_speed_that_suits_the_model_is_chosen_slows_both_requests_of_a_pair_and_is_named_by_the_verdict(
    open_tab: Tabs, stage: Stage
) -> None:
    engine = stage.choose(TypingEngine(WORDS, 0, Ready(replace(CARD, rate=125.0))))
    station = Pairs(open_tab(stage.url))
    expect(station.find("speed")).to_have_value("100")
    expect(station.find("plan")).to_contain_text("about 3 s here, at the 100.0 tokens/s asked for")
    station.run()
    assert [ticket.request.pace for ticket in engine.tickets] == [100] * 10
    expect(station.find("verdict")).to_have_text(re.compile("^At 100 tokens/s: "))
    expect(station.find("plan")).to_contain_text("measured last, by this browser's clock")
    station.find("speed").select_option("Real speed")
    expect(station.find("plan")).not_to_contain_text("measured last")


def test_a_model_that_cannot_keep_the_pace_is_said_to_run_at_real_speed(stage: Stage) -> None:
    station = Pairs(stage.show(TypingEngine(WORDS, 0.014)))
    station.find("speed").select_option("100 tokens/s")
    station.run()
    expect(station.find("verdict")).to_have_text(re.compile("^At real speed, slower here than 100 tokens/s: "))
    station.find("speed").select_option("Real speed")


def test_after_a_run_axe_is_content_and_nothing_scrolls_sideways(finished: Pairs) -> None:
    finished.tab.page.locator("#pairs-each summary").click()
    expect(finished.tab.page.locator("#pairs-rows table")).to_be_visible()
    assert finished.tab.find_violations("#station-pairs") == []
