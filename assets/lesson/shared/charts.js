// Charts by plotly, loaded when the first one is drawn. Text and grid take their colours from page.css.
"use strict";

import { download, element } from "./dom.js";

const REDRAW = new WeakMap();
let loading = null;

// Plotly itself (1.4 MB over the wire), once.
export function loadPlotly() {
  loading ??= new Promise((resolve, reject) => {
    const script = element("script", { src: new URL("../plotly.min.js", import.meta.url).href });
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => reject(new Error("The charts can't be loaded: is the server still running?"));
    document.head.append(script);
  });
  return loading;
}

// The one accent of each way of delivery: streamed, whole, polling, webhook.
export const accent = (name) => getComputedStyle(document.body).getPropertyValue(`--${name}`).trim();

// For what belongs to no way of delivery: it can be seen in both themes, which may change under a chart.
export const NEUTRAL = "#808080";

// What every chart has in common; `layout` is merged over it.
export function frame(xTitle, yTitle, layout = {}) {
  const axis = { zeroline: false, rangemode: "tozero", gridcolor: NEUTRAL, gridwidth: 0.5, automargin: true };
  return {
    autosize: true, height: 300, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, sans-serif", size: 13, color: "#767676" },
    margin: { l: 8, r: 12, t: 24, b: 8 },
    legend: { orientation: "h", x: 0, y: -0.22, yanchor: "top" },
    hovermode: "closest", dragmode: false,
    ...layout,
    xaxis: { ...axis, title: { text: xTitle, font: { size: 13 } }, ...layout.xaxis },
    yaxis: { ...axis, title: { text: yTitle, font: { size: 13 } }, ...layout.yaxis },
  };
}

// Draws {data, layout} into `host`, anew each time, with buttons that save it. `name` is the file's, `summary` says in
// words what it shows, for those who can't see it.
export async function draw(host, { data, layout }, { name, summary }) {
  const Plotly = await loadPlotly();
  host.classList.add("chart");
  let plot = host.querySelector(".plot");
  if (!plot) {
    plot = element("div", { class: "plot", role: "img" });
    host.replaceChildren(plot, saveButtons(Plotly, plot, name));
  }
  plot.setAttribute("aria-label", summary);
  REDRAW.set(plot, { data, layout });
  plot.style.height = `${layout.height}px`; // plotly, following the window, would take the element's
  await Plotly.react(plot, data, layout, { displayModeBar: false, responsive: true });
}

function saveButtons(Plotly, plot, name) {
  const save = (format) => async () => {
    const { data, layout } = REDRAW.get(plot);
    const style = getComputedStyle(document.body);
    const colours = { paper_bgcolor: style.getPropertyValue("--sheet").trim(), font: { ...layout.font, color: style.getPropertyValue("--ink").trim() } };
    const size = { width: Math.max(plot.clientWidth, 640), height: layout.height ?? 300, scale: format === "png" ? 2 : 1 };
    const image = await Plotly.toImage({ data, layout: { ...layout, ...colours } }, { format, ...size });
    download(`${name}.${format}`, image);
  };
  const button = (format) => element("button", {
    type: "button", class: "link", onclick: save(format), "aria-label": `Save the chart ${name} as ${format.toUpperCase()}`,
  }, format.toUpperCase());
  return element("div", { class: "saves" }, button("png"), button("svg"));
}
