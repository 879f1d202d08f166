"""Larger models are offered beside the embedded one, where somebody asks and the hub can be reached."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import gradio as gr
import pytest

from demo.engine import Ready
from demo.ui.components.layout import Layout
from demo.ui.listeners.race import RaceListeners
from demo.ui.session import Sessions
from demo.ui.view.larger import PARAMETERS, UNREACHABLE, describe_offer, has_offer
from tests.scripted import CARD, ScriptedEngine

pytestmark = pytest.mark.anyio


async def ask(reaches_hub: Callable[[], bool]) -> str:
    with gr.Blocks():
        page = Layout()
    listeners = RaceListeners(ScriptedEngine(Ready(CARD)), page, Sessions(), reaches_hub=reaches_hub)
    request = gr.Request(session_hash="tab", client=SimpleNamespace(host="192.0.2.7"), headers={})
    return str((await listeners.offer_larger(request))[page.message]["text"])


async def test_they_are_named_with_their_memory_where_the_hub_can_be_reached() -> None:
    told = await ask(lambda: True)
    assert all(f"--model-id {name} (about " in told for name in PARAMETERS)
    assert await ask(lambda: False) == UNREACHABLE


def test_only_the_embedded_model_has_an_offer_and_a_gpu_holds_more_bytes_of_it() -> None:
    assert [has_offer(replace(CARD, source=source)) for source in ("embedded", "hub", "gguf")] == [True, False, False]
    assert "Qwen/Qwen3-0.6B (about 1.1 GB" in describe_offer(replace(CARD, device="cpu"))
    assert "Qwen/Qwen3-0.6B (about 1.7 GB" in describe_offer(replace(CARD, device="cuda"))
