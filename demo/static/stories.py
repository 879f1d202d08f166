"""The stories of the station about perceived latency, at the speed at which it shows them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from demo.engines.replay import schedule_trace
from demo.events import Token
from demo.trace import Trace
from demo.ui.view.speed import DEFAULT_PACE


def write_stories(traces: Sequence[Trace]) -> dict[str, Any]:
    """The prompt of each, and its tokens: [seconds, text]. The station asks for this pace."""
    return {"pace": DEFAULT_PACE, "stories": [_write_story(trace) for trace in traces]}


def _write_story(trace: Trace) -> dict[str, Any]:
    groups = schedule_trace(trace, replace(trace.request, pace=DEFAULT_PACE), 0.0)
    tokens = [event for group in groups for event in group if isinstance(event, Token)]
    return {"prompt": trace.question, "tokens": [[round(token.time, 4), token.text] for token in tokens]}
