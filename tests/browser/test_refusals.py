"""What the page says where no answer comes: overloaded, loading, broken, failed."""

from playwright.sync_api import expect

from demo.engine import Broken, Loading, Ready, Status
from demo.engines.reloading import ReloadingEngine
from demo.errors import EngineFailed, ModelError, NotReady, Overloaded
from demo.ui.tabs import FULL
from demo.ui.tabs import Tabs as OpenTabs
from tests.browser.conftest import Stage
from tests.browser.race import answer
from tests.browser.serving import serve
from tests.browser.tab import Tab, Tabs
from tests.scripted import CARD, ScriptedEngine


class WakingEngine(ScriptedEngine):
    """An engine whose model is there once the test says so."""

    def wake(self) -> None:
        self._status = Ready(CARD)
        self.refusal = None


def test_an_overload_is_one_sentence_and_the_prompt_stays(tab: Tab, engine: ScriptedEngine) -> None:
    engine.refusal = Overloaded("All places are taken: try again in a moment.")
    tab.prompt.fill("Hello")
    tab.find("generate").click()
    expect(tab.find("message")).to_have_text("All places are taken: try again in a moment.")
    expect(tab.prompt).to_have_value("Hello")
    expect(tab.find("streamed-clock")).to_have_text("0.00 s")
    engine.refusal = None
    tab.find("generate").click()
    tab.expect_both("queued")
    expect(tab.find("message")).to_be_hidden()


def test_an_empty_prompt_is_refused_in_words(tab: Tab) -> None:
    tab.prompt.fill("")
    tab.find("generate").click()
    expect(tab.find("message")).to_contain_text("type something first")


def test_a_failure_is_one_sentence_in_both_panes_and_the_next_run_works(tab: Tab, engine: ScriptedEngine) -> None:
    tab.ask("Hello")
    engine.tickets[0].start()
    engine.tickets[0].fail(EngineFailed("The model failed: try again."))
    tab.expect_both("failed")
    for side in ("streamed", "whole"):
        expect(tab.find(f"{side}-note")).to_have_text("The model failed: try again.")
    tab.find("retry").click()
    tab.expect_both("queued")
    answer(engine.tickets[1], "Fine")
    tab.expect_both("done")


def test_the_page_says_what_is_loading_and_opens_generate_when_ready(open_tab: Tabs, stage: Stage) -> None:
    engine = stage.choose(WakingEngine(Loading("converting the weights", 0.4)))
    engine.refusal = NotReady("The model is still loading: a moment.")
    tab = open_tab(stage.url, ready=False)
    expect(tab.find("model")).to_contain_text("converting the weights 40%")
    expect(tab.find("generate")).to_be_disabled()
    engine.wake()
    expect(tab.find("generate")).to_be_enabled()
    expect(tab.find("model")).to_contain_text("scripted (folder) on cpu, float32")


def test_a_tab_that_has_no_place_says_so_and_gets_the_first_that_is_free(open_tab: Tabs) -> None:
    with serve(ScriptedEngine(), tabs=OpenTabs(max_tabs=1)) as url:
        first = open_tab(url)
        second = open_tab(url, ready=False)
        expect(second.find("message")).to_have_text(FULL)
        expect(second.find("generate")).to_be_disabled()
        first.page.close()
        expect(second.find("generate")).to_be_enabled()
        expect(second.find("message")).to_be_hidden()
        second.complaints.clear()  # the browser's own, of requests that were refused
        open_tab.close()


def test_a_model_that_is_broken_is_said_in_a_sentence(open_tab: Tabs, stage: Stage) -> None:
    stage.choose(ScriptedEngine(Broken(ModelError("The model can't be read: name another."))))
    tab = open_tab(stage.url, ready=False)
    expect(tab.find("model")).to_have_text("The model can't be read: name another.")
    expect(tab.find("generate")).to_be_disabled()


def test_whoever_runs_the_server_reads_why_a_model_failed_and_has_it_loaded_again_by_a_button(open_tab: Tabs) -> None:
    statuses: list[Status] = [Broken(ModelError("The hub can't be reached.")), Ready(CARD)]
    with serve(ReloadingEngine(lambda on_broken: ScriptedEngine(statuses.pop(0)))) as url:
        tab = open_tab(url, ready=False)
        expect(tab.find("model")).to_contain_text("The hub can't be reached.")
        expect(tab.find("generate")).to_be_disabled()
        with tab.page.expect_response("**/reload") as replied:
            tab.find("reload-model").click()
        assert (replied.value.request.method, replied.value.status) == ("POST", 202)
        expect(tab.find("model")).to_contain_text("scripted (folder) on cpu, float32")
        expect(tab.find("generate")).to_be_enabled()
        expect(tab.find("reload-model")).to_be_hidden()
        expect(tab.find("message")).to_be_hidden()
        open_tab.close()
