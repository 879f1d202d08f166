"""Two figures and a table: from timelines to what is drawn. Pure; knows plotly, not the page.

Colours of text, grid and background belong to the page's style sheet, which knows light from dark.
"""

from collections.abc import Sequence
from typing import Final

import plotly.graph_objects as go

from demo.metrics import Timeline
from demo.ui.view.panes import PaneView
from demo.ui.view.turn import Turn
from demo.ui.view.words import PHASES, TITLES, Side, describe_reuse, format_count, format_rate, format_seconds

COLOURS: Final[dict[Side, str]] = {"streamed": "#0072B2", "whole": "#D55E00"}  # Okabe and Ito: told apart by all eyes
FILLS: Final[dict[Side, str]] = {"streamed": "rgba(0,114,178,0.16)", "whole": "rgba(213,94,0,0.10)"}
DASHES: Final[dict[Side, str]] = {"streamed": "solid", "whole": "dash"}
# Beside the engine's own line, the browser draws what it painted.
WIDTHS: Final[dict[Side, float]] = {"streamed": 1.0, "whole": 2.5}
SYMBOLS: Final[dict[Side, str]] = {"streamed": "circle", "whole": "diamond"}
DIAGONAL: Final = "Without streaming, nothing is visible<br>before the end: so TTFT is the total"
COLUMNS: Final = ("Run", "Delivery", "TTFT", "Total", "Tokens", "Tokens/s", "Ended")


def draw_timeline(streamed: PaneView, whole: PaneView) -> go.Figure:
    """Tokens visible to each reader against seconds: a ramp and a cliff, each TTFT marked."""
    figure = _blank("seconds since the request", "tokens visible")
    end = max(view.timeline.end or 0.0 for view in (streamed, whole))
    for view in (whole, streamed):
        _add_reader(figure, view, end)
    for view in (streamed, whole):
        _mark_first_text(figure, view, end)
    return figure


def draw_latency(runs: Sequence[Turn]) -> go.Figure:
    """TTFT against total latency, one point for each reading that came to its end."""
    figure = _blank("total latency, seconds", "time to first token, seconds")
    longest = 1.08 * max((turn.whole.timeline.end or turn.streamed.timeline.end or 0.0 for turn in runs), default=1.0)
    figure.add_scatter(
        x=[0, longest],
        y=[0, longest],
        mode="lines",
        line={"color": "#808080", "dash": "dash", "width": 1},
        hoverinfo="skip",
        showlegend=False,
    )
    for side in ("streamed", "whole"):
        _add_points(figure, side, [turn.streamed if side == "streamed" else turn.whole for turn in runs])
    figure.add_annotation(
        text=DIAGONAL,
        align="left",
        x=0,
        xref="paper",
        xanchor="left",
        y=1,
        yref="paper",
        yanchor="bottom",
        yshift=4,
        showarrow=False,
    )
    figure.update_xaxes(range=[0, longest])
    figure.update_yaxes(range=[-0.04 * longest, longest])
    return figure


def describe_timeline(turn: Turn) -> str:
    """What the first figure shows, in words."""
    said = [_describe_reader(view) for view in (turn.streamed, turn.whole)]
    return f"Tokens visible to each reader over time. {'. '.join(said)}."


def _describe_reader(view: PaneView) -> str:
    timeline = view.timeline
    first, last = format_seconds(timeline.ttft), format_seconds(timeline.total)
    return f"{TITLES[view.side]}: first text {first}, all after {last}"


def describe_latency(runs: Sequence[Turn]) -> str:
    """What the second figure shows, in words."""
    return (
        f"Time to first token against total latency of {len(runs)} runs: low when streaming, "
        "on the diagonal when waiting for the whole answer."
    )


def list_rows(runs: Sequence[Turn]) -> list[tuple[str, ...]]:
    """The numbers behind the figures, newest run first, as a person reads them; one row for each side."""
    numbered = list(enumerate(runs, start=1))
    return [_row(number, view) for number, turn in reversed(numbered) for view in (turn.streamed, turn.whole)]


def _row(number: int, view: PaneView) -> tuple[str, ...]:
    timeline = view.timeline
    return (
        " · ".join(filter(None, (str(number), view.label, describe_reuse(view.remembered)))),
        TITLES[view.side],
        format_seconds(timeline.ttft),
        format_seconds(timeline.total),
        format_count(view.tokens),
        format_rate(timeline.rate),
        PHASES[view.phase],
    )


def step_points(timeline: Timeline, until: float) -> tuple[list[float], list[int]]:
    """Corners of the staircase "tokens visible at time t", drawn on to `until`."""
    last = timeline.end if timeline.end is not None else until
    times = [0.0, *timeline.tokens, max(last, until)]
    return times, [0, *range(1, len(timeline.tokens) + 1), len(timeline.tokens)]


def _add_reader(figure: go.Figure, view: PaneView, until: float) -> None:
    times, counts = step_points(view.timeline, until)
    figure.add_scatter(
        x=times,
        y=counts,
        name=f"{TITLES[view.side]}, made by the engine" if view.side == "streamed" else TITLES[view.side],
        mode="lines",
        line={"color": COLOURS[view.side], "dash": DASHES[view.side], "width": WIDTHS[view.side], "shape": "hv"},
        fill="tozeroy",
        fillcolor=FILLS[view.side],
        hovertemplate="%{y} tokens after %{x:.2f} s<extra>" + TITLES[view.side] + "</extra>",
    )


def _mark_first_text(figure: go.Figure, view: PaneView, end: float) -> None:
    ttft = view.timeline.ttft
    if ttft is None:
        return
    figure.add_vline(x=ttft, line={"color": COLOURS[view.side], "dash": "dot", "width": 1.5})
    early = ttft < end / 2
    figure.add_annotation(
        x=ttft,
        y=1,
        yref="paper",
        yanchor="bottom",
        xanchor="left" if early else "right",
        yshift=17 if view.side == "streamed" else 0,
        showarrow=False,
        text=f"{TITLES[view.side]}: first text {format_seconds(ttft)}",
    )


def _add_points(figure: go.Figure, side: Side, views: Sequence[PaneView]) -> None:
    drawn = [view.timeline for view in views if view.phase == "done" and view.timeline.ttft is not None]
    figure.add_scatter(
        x=[timeline.total for timeline in drawn],
        y=[timeline.ttft for timeline in drawn],
        name=TITLES[side],
        mode="markers",
        marker={"color": COLOURS[side], "symbol": SYMBOLS[side], "size": 11, "opacity": 0.85},
        hovertemplate="first text %{y:.2f} s, total %{x:.2f} s<extra>" + TITLES[side] + "</extra>",
    )


def _blank(x_title: str, y_title: str) -> go.Figure:
    axis = {"zeroline": False, "title_font_size": 13, "gridcolor": "#808080", "gridwidth": 0.5, "automargin": True}
    layout = {
        "template": None,
        "autosize": True,
        "height": 300,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": "#767676"},
        "margin": {"l": 8, "r": 12, "t": 42, "b": 8},
        "legend": {"orientation": "h", "x": 0, "y": 0, "yanchor": "bottom", "yref": "container"},
        "hovermode": "closest",
        "dragmode": False,
    }
    figure = go.Figure(layout=go.Layout(**layout))
    figure.update_xaxes(title_text=x_title, rangemode="tozero", **axis)
    figure.update_yaxes(title_text=y_title, rangemode="tozero", **axis)
    return figure
