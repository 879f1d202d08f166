"""Gradio's private names: a new version that lacks one fails here by its name, and the page works without it."""

import asyncio
import inspect
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import jinja2
import pytest
from fastapi import FastAPI
from gradio import component_meta
from gradio.routes import App
from starlette.testclient import TestClient

from demo.ui import gradio_tuning, page
from demo.ui.gradio_tuning import BUILD, CREATE_APP, PRIVATE, ROOT_URL, TRACKER

TUNINGS: dict[str, Callable[[], object]] = {
    CREATE_APP: lambda: gradio_tuning.without_apps().__enter__(),
    ROOT_URL: gradio_tuning.use_relative_urls,
    BUILD: lambda: gradio_tuning.mount_status_tracker(FastAPI()),
}


@pytest.mark.parametrize("name", PRIVATE)
def test_gradio_has_the_private_name(name: str) -> None:
    assert gradio_tuning.find_private(name) is not None, f"without {name}, {PRIVATE[name]}"


async def build_blocks() -> gr.Blocks:
    """In an event loop, since Gradio would make one and never close it."""
    with gradio_tuning.without_apps():
        blocks = gr.Blocks()
        blocks.queue()
        return blocks


async def look_for_work(blocks: gr.Blocks) -> int:
    blocks._queue.start()  # type: ignore[no-untyped-call]
    return len(asyncio.all_tasks()) - 1


def test_gradios_queue_looks_for_no_work_and_takes_none() -> None:
    blocks = asyncio.run(build_blocks())
    gradio_tuning.close_queue(blocks)
    assert asyncio.run(look_for_work(blocks)) == 0
    assert len(blocks._queue) >= (blocks._queue.max_size or 0)


@pytest.mark.parametrize("name", PRIVATE)
def test_without_a_private_name_its_change_is_left_out_and_logged(
    name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delattr(name)
    TUNINGS[name]()
    assert caplog.messages == [f"This version of Gradio has no {name}: {PRIVATE[name]}."]


def test_a_queue_without_its_private_attributes_stays_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    blocks: Any = SimpleNamespace(_queue=SimpleNamespace())
    gradio_tuning.close_queue(blocks)
    assert vars(blocks._queue) == {}
    assert len(caplog.messages) == 1


def test_gradio_reads_and_writes_no_stub_of_a_component_that_is_in_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspect, "getfile", gradio_tuning._get_file)
    monkeypatch.delattr(Path, "read_text")
    component_meta.create_or_modify_pyi(gr.Textbox, "Textbox", [])
    source = inspect.getsource(page)
    assert source.index("gradio_tuning") < source.index("import gradio as gr")


def test_importing_the_page_leaves_other_libraries_as_they_were() -> None:
    assert jinja2.Template("{{ 1 + 1 }}").render() == "2"
    assert inspect.getfile(gr.Textbox).endswith("textbox.py")


def test_no_app_is_built_within_the_context_only() -> None:
    create = App.create_app
    with gradio_tuning.without_apps():
        assert App.create_app(None) is None  # type: ignore[arg-type]
    assert App.create_app is create


def test_the_status_tracker_is_served_with_a_timer_that_stops() -> None:
    (path,) = gradio_tuning.list_built(TRACKER)
    app = FastAPI()
    gradio_tuning.mount_status_tracker(app)
    served = TestClient(app).get(f"/assets/{path.name}").text
    assert gradio_tuning.amend_status_tracker(path.read_text("utf-8")) == (served, 1)
    effect = "e(()=>{a.status===`pending`?go():wait(()=>{halt()})})"
    assert gradio_tuning.amend_status_tracker(effect) == (f"{effect[:-2]};return halt}})", 1)
