"""What Gradio is kept from, and that nothing else is."""

import inspect

import gradio as gr
import jinja2
from gradio.routes import App

from demo.ui import without_apps


def test_importing_the_page_leaves_other_libraries_as_they_were() -> None:
    assert jinja2.Template("{{ 1 + 1 }}").render() == "2"
    assert inspect.getfile(gr.Textbox).endswith("textbox.py")


def test_a_page_makes_no_web_app_until_it_is_mounted() -> None:
    with without_apps(), gr.Blocks(analytics_enabled=False) as blocks:
        gr.Textbox()
    assert blocks.app is None
    assert isinstance(App.create_app(blocks), App)
