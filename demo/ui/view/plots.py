"""The race's two figures, in plotly's JSON.

The page's style sheet colours text, grid and background, since it knows the theme.
"""

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from demo.metrics import Timeline
from demo.ui.view.panes import PaneView
from demo.ui.view.turn import Turn
from demo.ui.view.words import CONSTANTS, SIDES, TITLES, Side, format_seconds

Figure: TypeAlias = dict[str, Any]  # {"data": [trace, …], "layout": {…}}

COLOURS: Final[dict[str, str]] = CONSTANTS["colours"]  # Okabe and Ito's palette: distinct with any colour vision
DASHES: Final[dict[Side, str]] = {"streamed": "solid", "whole": "dash"}
ALPHAS: Final[dict[Side, str]] = {"streamed": "29", "whole": "1a"}  # of the areas, in hexadecimal
WIDTHS: Final[dict[Side, float]] = {"streamed": 1.0, "whole": 2.5}  # the browser adds a wide line of its own paints
SYMBOLS: Final[dict[Side, str]] = {"streamed": "circle", "whole": "diamond"}
DIAGONAL: Final = "Without streaming, nothing is visible<br>before the end: TTFT is the total"


def draw_timeline(streamed: PaneView, whole: PaneView) -> Figure:
    """Tokens visible to each reader over time: a ramp and a step, each with its TTFT marked."""
    end = max(view.timeline.end or 0.0 for view in (streamed, whole))
    marked = [(view, view.timeline.ttft) for view in (streamed, whole) if view.timeline.ttft is not None]
    layout = _frame("seconds since the request", "tokens visible")
    layout["shapes"] = [_draw_mark(view, ttft) for view, ttft in marked]
    layout["annotations"] = [_label_mark(view, ttft, early=ttft < end / 2) for view, ttft in marked]
    return {"data": [_draw_steps(view, end) for view in (whole, streamed)], "layout": layout}


def draw_latency(runs: Sequence[Turn]) -> Figure:
    """TTFT against total latency, one point for each side that completed."""
    longest = 1.08 * max((turn.whole.timeline.end or turn.streamed.timeline.end or 0.0 for turn in runs), default=1.0)
    line = {"color": COLOURS["neutral"], "dash": "dash", "width": 1}
    ends = {"x": [0, longest], "y": [0, longest]}
    diagonal = {"type": "scatter", "mode": "lines", **ends, "line": line, "hoverinfo": "skip", "showlegend": False}
    scope = f" (the last {len(runs)} runs)" if count_dropped(runs) else ""
    layout = _frame(f"total latency, seconds{scope}", "time to first token, seconds")
    layout["xaxis"]["range"] = [0, longest]
    layout["yaxis"]["range"] = [-0.04 * longest, longest]
    note = {"text": DIAGONAL, "align": "left", "x": 0, "xref": "paper", "xanchor": "left", "yshift": 4}
    layout["annotations"] = [_above(note)]
    return {"data": [diagonal, *(_draw_points(side, runs) for side in SIDES)], "layout": layout}


def describe_timeline(turn: Turn) -> str:
    sides = [(TITLES[view.side], view.timeline) for view in (turn.streamed, turn.whole)]
    texts = [f"{title}: first text {format_seconds(t.ttft)}, all after {format_seconds(t.total)}" for title, t in sides]
    return f"Tokens visible to each reader over time. {'. '.join(texts)}."


def describe_latency(runs: Sequence[Turn]) -> str:
    which = f"the last {len(runs)}" if count_dropped(runs) else str(len(runs))
    return (
        f"Time to first token against total latency of {which} runs: low when streaming, "
        "on the diagonal when waiting for the whole answer."
    )


def count_dropped(runs: Sequence[Turn]) -> int:
    """How many runs of the tab there were before those that are kept."""
    return runs[0].number - 1 if runs else 0


def step_points(timeline: Timeline, until: float) -> tuple[list[float], list[int]]:
    """Corners of the staircase "tokens visible at time t", which ends at `until`."""
    times = [0.0, *timeline.tokens, max(timeline.end or 0.0, until)]
    return times, [*range(len(timeline.tokens) + 1), len(timeline.tokens)]


def _draw_steps(view: PaneView, until: float) -> dict[str, Any]:
    (times, counts), side, title = step_points(view.timeline, until), view.side, TITLES[view.side]
    name = f"{title}, made by the engine" if side == "streamed" else title
    line = {"color": COLOURS[side], "dash": DASHES[side], "width": WIDTHS[side], "shape": "hv"}
    area = {"fill": "tozeroy", "fillcolor": COLOURS[side] + ALPHAS[side]}
    hover = f"%{{y}} tokens after %{{x:.2f}} s<extra>{title}</extra>"
    return _draw("lines", times, counts, name, hover, line=line, **area)


def _draw_mark(view: PaneView, ttft: float) -> dict[str, Any]:
    line = {"color": COLOURS[view.side], "dash": "dot", "width": 1.5}
    return {"type": "line", "x0": ttft, "x1": ttft, "y0": 0, "y1": 1, "yref": "paper", "line": line}


def _label_mark(view: PaneView, ttft: float, early: bool) -> dict[str, Any]:
    text, shift = f"{TITLES[view.side]}: first text {format_seconds(ttft)}", 17 if view.side == "streamed" else 0
    return _above({"text": text, "x": ttft, "xanchor": "left" if early else "right", "yshift": shift})


def _above(annotation: dict[str, Any]) -> dict[str, Any]:
    """The annotation, above the axes."""
    return {"y": 1, "yref": "paper", "yanchor": "bottom", "showarrow": False, **annotation}


def _draw_points(side: Side, runs: Sequence[Turn]) -> dict[str, Any]:
    views = [turn.streamed if side == "streamed" else turn.whole for turn in runs]
    drawn = [view.timeline for view in views if view.phase == "done" and view.timeline.ttft is not None]
    totals, ttfts = [timeline.total for timeline in drawn], [timeline.ttft for timeline in drawn]
    marker = {"color": COLOURS[side], "symbol": SYMBOLS[side], "size": 11, "opacity": 0.85}
    hover = f"first text %{{y:.2f}} s, total %{{x:.2f}} s<extra>{TITLES[side]}</extra>"
    return _draw("markers", totals, ttfts, TITLES[side], hover, marker=marker)


def _draw(mode: str, x: Sequence[Any], y: Sequence[Any], name: str, hover: str, **style: Any) -> dict[str, Any]:
    return {"type": "scatter", "mode": mode, "x": x, "y": y, "name": name, "hovertemplate": hover, **style}


def _frame(x_title: str, y_title: str) -> dict[str, Any]:
    """The layout of a chart; the browser's charts have the same, but for the room above and the legend's place."""
    shared, axis = CONSTANTS["chart"]["layout"], CONSTANTS["chart"]["axis"]
    return {
        **shared,
        "margin": {**shared["margin"], "t": 42},
        "legend": {"orientation": "h", "x": 0, "y": 0, "yanchor": "bottom", "yref": "container"},
        "xaxis": {**axis, "title": {**axis["title"], "text": x_title}},
        "yaxis": {**axis, "title": {**axis["title"], "text": y_title}},
    }
