"""The page without a server: opened from disk, and through a file server."""

from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import expect

from demo.static.play import Play
from demo.static.recordings import read_all
from demo.ui.view.tables import list_definitions, list_saved
from tests.browser.tab import Tab, Tabs, read_seconds
from tests.file_server import serve_files
from tests.static.test_folder import MAX_BYTES

QUESTION = "List three benefits of reading books"


def list_loaded(tab: Tab) -> list[str]:
    """The files that the page has loaded, by their paths."""
    names: list[str] = tab.page.evaluate("performance.getEntriesByType('resource').map(({ name }) => name)")
    return [urlsplit(name).path for name in names]


def test_a_race_from_disk_is_played_slowed_stopped_and_charted(open_tab: Tabs, folder: Path) -> None:
    tab = open_tab(f"{folder.as_uri()}/index.html", "frame", "dark")
    assert tab.page.locator("body.dark").count() == 1
    tab.ask(QUESTION)
    tab.expect_both("done")
    assert tab.has_led
    trace = next(each for each in read_all().races if each.question == QUESTION)
    assert tab.read("streamed-label") == tab.read("whole-label") == Play(trace, None).label
    assert abs(read_seconds(tab.read("whole-total")) - trace.events[-1].time) < 0.01
    assert read_seconds(tab.read("whole-first")) > read_seconds(tab.read("streamed-first"))
    expect(tab.find("result")).to_contain_text("sooner; the last ones at the same time.")
    assert not [name for name in list_loaded(tab) if "plotly" in name]  # nobody has seen a chart

    tab.find("slow-motion").click()
    expect(tab.find("streamed-label")).to_contain_text("slow motion")
    tab.find("slow-motion").click()
    tab.resize("wide")
    tab.find("results").scroll_into_view_if_needed()
    tab.expect_results(1)

    tab.find("speed").get_by_label("30 tokens/s").check()
    tab.find("retry").click()
    tab.expect_some_text("streamed")
    tab.find("streamed-stop").click()
    tab.expect_phase("streamed", "stopped")
    expect(tab.find("streamed-note")).to_contain_text("stopped at token")
    tab.find("stop").click()
    tab.expect_both("stopped")
    expect(tab.page.locator("#numbers tbody tr")).to_have_count(4)
    expect(tab.find("saved")).to_contain_text("saved up to")
    expect(tab.find("definitions").locator("caption")).to_contain_text("with the numbers of run 2, streamed")

    tab.prompt.fill("What nobody has recorded")
    tab.prompt.press("Enter")
    expect(tab.find("message")).to_contain_text("This page has no model")
    tab.resize("phone")


def test_a_file_server_sends_a_first_race_in_400_kb_and_its_link_plays_again(open_tab: Tabs, folder: Path) -> None:
    with serve_files(folder) as url:
        tab = open_tab(url, "phone", speed=None)
        tab.page.locator(".chip").get_by_text(QUESTION).click()
        tab.expect_both("done")
        assert tab.read("streamed-label").endswith("slowed to 30 tokens/s")
        loaded = [folder / ("index.html" if name == "/" else name[1:]) for name in ["/", *list_loaded(tab)]]
        assert sum(path.stat().st_size for path in loaded if path.name != "plotly.min.js") < MAX_BYTES
        assert tab.find_violations() == []
        tab.find("link-run").click()
        fragment = tab.find("run-link").input_value().partition("#")[2]
        again = open_tab(url, fragment=f"#{fragment}", speed=None)
        expect(again.find("question")).to_have_text(QUESTION)
        again.expect_phase("streamed", "writing")
        again.find("stop").click()

        again.find("machine").locator("select").select_option(label="slow-model, float32, on cpu")
        expect(again.find("model")).to_contain_text("a/slow-model on cpu, float32")
        expect(again.prompt).to_have_value("Why is the sky blue?")  # the one that this machine has answered
        expect(again.page.locator(".chip:visible")).to_have_text(["Why is the sky blue?"])
        again.find("generate").click()
        again.expect_both("done")
        assert again.read("streamed-text") == "Skies are slow."
        open_tab.close()


def test_a_saving_costs_and_a_definition_measures_what_the_server_says(open_tab: Tabs, folder: Path) -> None:
    tab = open_tab(f"{folder.as_uri()}/index.html", speed="30 tokens/s")
    tab.ask(QUESTION)
    tab.expect_some_text("streamed")
    tab.find("stop").click()
    expect(tab.find("saved").locator("tbody td")).to_have_count(16)
    defined = tab.find("definitions").locator("tbody tr").all_inner_texts()
    count = int(tab.read("streamed-tokens"))
    trace = next(each for each in read_all().races if each.question == QUESTION)
    stop = next(stop / 10 for stop in range(1, 99) if len(Play(trace, 30).list_until(stop / 10)) - 1 == count)
    told = list_definitions((Play(trace, 30).make_turn(stop, stop),))["rows"]
    assert defined == ["\t".join(row) for row in told]  # type: ignore[attr-defined]
    for price in (0.1, 0.5, 7.7, 100.0):  # at 0.5 an odd count ends in half of the last digit
        tab.find("price").locator("input").fill(str(price))
        cells = tab.find("saved").locator("tbody td:last-child").all_inner_texts()
        rows = list_saved((Play(trace, 30).make_turn(stop, stop),), price)["rows"]
        assert cells == [row[-1] for row in rows]  # type: ignore[attr-defined]


def test_the_documentations_example_and_a_story_are_played(open_tab: Tabs, folder: Path) -> None:
    tab = open_tab(f"{folder.as_uri()}/index.html", "wide")
    tab.find("example-length").get_by_label("100 tokens", exact=True).check()
    tab.find("example-run").click()
    tab.expect_both("done")
    expect(tab.find("example-beside")).to_contain_text("Requested 100 tokens/s, measured")
    tab.find("station-perceived").scroll_into_view_if_needed()
    tab.find("perceived-begin").click()
    tab.find("perceived-ask").get_by_role("button").click()
    expect(tab.find("perceived-text")).to_be_visible()
    tab.find("perceived-stop").click()
    expect(tab.find("perceived-status")).to_have_text("Stopped.")
