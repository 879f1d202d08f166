"""What Gradio is kept from, and that nothing else is."""

import inspect

import gradio as gr
import jinja2
from gradio.routes import App

from demo.ui import without_apps


def test_importing_the_page_leaves_other_libraries_as_they_were() -> None:
    assert jinja2.Template("{{ 1 + 1 }}").render() == "2"
    assert inspect.getfile(gr.Textbox).endswith("textbox.py")


def test_web_apps_are_left_out_for_a_while_only() -> None:
    create = App.create_app
    with without_apps():
        assert App.create_app(None) is None  # type: ignore[arg-type]
    assert App.create_app is create
