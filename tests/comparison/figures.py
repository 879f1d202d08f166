"""The results and the cost curves as figures, on a page that needs no network; a button saves each as PNG."""

from collections.abc import Sequence
from typing import Any

from plotly.graph_objects import Bar, Figure, Scatter
from plotly.subplots import make_subplots

from tests.comparison.curves import Curves, Point
from tests.comparison.measures import STREAMS
from tests.comparison.results import Result

OURS, OTHERS = "#1f6feb", "#9aa4b2"
_PANELS = (
    ("rate", "One stream, tokens/s (more is better; line: the bound)", 1.0),
    ("ttft", "Time to first token, ms (less is better)", 1e3),
    ("rate_of_many", f"{STREAMS} streams at once, tokens/s in all (more is better)", 1.0),
    ("ttft_of_long", "Time to first token of 1,000 tokens, ms (less is better)", 1e3),
)


def draw_results(results: Sequence[Result], title: str) -> Figure:
    """Four panels of bars with the range of the rounds; the bound of one stream is a line across its bar."""
    figure = make_subplots(2, 2, subplot_titles=[panel for _, panel, _ in _PANELS], vertical_spacing=0.3)
    for index, (key, _, factor) in enumerate(_PANELS):
        shown = [each for each in results if key in each.numbers]
        place = {"row": index // 2 + 1, "col": index % 2 + 1}
        figure.add_trace(_draw_bars(shown, key, factor), **place)
        if key == "rate":
            figure.add_trace(_draw_bounds(shown), **place)
    return figure.update_layout(title=title, showlegend=False, template="plotly_white", height=800, margin={"t": 110})


def draw_curves(curves: Curves, title: str) -> Figure:
    """Time per token and peak memory, against the context's length and the number of streams."""
    titles = ["Time per token, ms", "Time per token, ms", "Peak memory, MB", "Peak memory, MB"]
    figure = make_subplots(2, 2, subplot_titles=titles)
    for column, (points, size) in enumerate(
        ((curves.lengths, "tokens of context"), (curves.rows, "streams at once")), 1
    ):
        figure.add_trace(_draw_line(points, [point.tpot * 1e3 for point in points]), row=1, col=column)
        memories = [None if point.memory is None else point.memory / 1e6 for point in points]
        figure.add_trace(_draw_line(points, memories), row=2, col=column)
        figure.update_xaxes(title=size, row=2, col=column)
    figure.update_yaxes(rangemode="tozero")
    return figure.update_layout(title=title, showlegend=False, template="plotly_white", height=700)


def write_page(figures: Sequence[Figure], body: str) -> str:
    """An HTML document with plotly's script inlined."""
    parts = [_write_figure(figure, index) for index, figure in enumerate(figures)]
    meta = '<meta charset="utf-8"><title>Token streaming: the benchmark</title>'
    style = "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:1200px}pre{white-space:pre-wrap}"
    head = f"<head>{meta}<style>{style}</style></head>"
    return f"<!doctype html><html>{head}<body>{''.join(parts)}<pre>{body}</pre></body></html>"


def _write_figure(figure: Figure, index: int) -> str:
    image = {"format": "png", "filename": f"benchmark-{index + 1}", "scale": 2}
    config = {"toImageButtonOptions": image, "displaylogo": False, "displayModeBar": True, "responsive": True}
    return str(figure.to_html(full_html=False, include_plotlyjs=not index, config=config))


def _draw_bars(results: Sequence[Result], key: str, factor: float) -> Bar:
    numbers = [each.numbers[key] for each in results]
    medians = [factor * number.median for number in numbers]
    errors: dict[str, Any] = {
        "array": [factor * (number.greatest - number.median) for number in numbers],
        "arrayminus": [factor * (number.median - number.least) for number in numbers],
    }
    colours = [OURS if each.identity.is_ours else OTHERS for each in results]
    names = [each.identity.name for each in results]
    return Bar(x=names, y=medians, error_y=errors, marker_color=colours, text=[f"{each:.0f}" for each in medians])


def _draw_bounds(results: Sequence[Result]) -> Scatter:
    names = [each.identity.name for each in results]
    marker = {"symbol": "line-ew", "size": 40, "line": {"width": 2, "color": "#d1242f"}}
    return Scatter(x=names, y=[each.bound for each in results], mode="markers", marker=marker)


def _draw_line(points: Sequence[Point], values: Sequence[float | None]) -> Scatter:
    return Scatter(x=[point.size for point in points], y=values, mode="lines+markers", line={"color": OURS})
