// The charts of the race: the server's figures, and in the first what this browser painted.

import { COLOURS, draw } from "../lesson/shared/charts.js";
import { follow } from "../lesson/shared/dom.js";
import { marksOf } from "./heads.js";
import { paneOf } from "./panes.js";

// `value` is {figure, summary} as JSON, or nothing yet.
export function mountChart(element, props, watch) {
  const host = element.firstElementChild;
  follow(watch, () => {
    const { figure, summary } = JSON.parse(props.value || "{}");
    if (!figure) return;
    if (host.dataset.name === "timeline") addPaints(figure);
    draw(host, figure, { name: host.dataset.name, summary });
  });
}

// Each update of the streamed text as a step: seconds since Generate on this browser's clock, tokens shown.
function addPaints(figure) {
  const { asked } = marksOf("streamed");
  const steps = paneOf("streamed").paints.filter(([, count]) => count > 0);
  if (asked === null || !steps.length) return;
  figure.data.push({
    type: "scatter", mode: "lines", name: "Streaming, painted here",
    x: steps.map(([at]) => (at - asked) / 1000), y: steps.map(([, count]) => count),
    line: { color: COLOURS.streamed, width: 2.5, shape: "hv" },
    hovertemplate: "%{y} tokens painted after %{x:.2f} s<extra>this browser</extra>",
  });
}
