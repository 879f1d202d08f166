// Charts by plotly, loaded when the first one is drawn. The theme's colours of text and grid are in page.css.

import constants from "../../constants.js";
import { isTranslated, marks, translate } from "../../page/language.js";
import { download, element } from "./dom.js";

export const COLOURS = constants.colours;
// Above the plot, its entries in the order of the traces.
export const LEGEND_ABOVE = { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", traceorder: "normal" };
const figures = new WeakMap(); // by plot, for its save buttons
let loading = null;

// 1.4 MB over the wire.
function loadPlotly() {
  loading ??= new Promise((resolve, reject) => {
    const script = element("script", { src: new URL("../../plotly.min.js", import.meta.url).href });
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => reject(new Error("The charts can't be loaded: is the server still running?"));
    document.head.append(script);
  });
  return loading;
}

// What all charts have in common, with `layout` merged over it.
export function createLayout(xTitle, yTitle, layout = {}) {
  const { axis, layout: shared } = constants.chart;
  const createAxis = (text, own) => ({ ...axis, title: { ...axis.title, text }, ...own });
  return { ...shared, ...layout, xaxis: createAxis(xTitle, layout.xaxis), yaxis: createAxis(yTitle, layout.yaxis) };
}

// Draws or updates a chart in `host`, with buttons that save it as `name`. `summary` is its text alternative.
export async function draw(host, figure, { name, summary }) {
  const Plotly = await loadPlotly();
  const { data, layout } = isTranslated(host) ? translateFigure(figure) : figure;
  host.classList.add("chart");
  let plot = host.querySelector(".plot");
  if (!plot) {
    plot = element("div", { class: "plot", role: "img" });
    host.replaceChildren(plot, saveButtons(Plotly, plot, name));
  }
  plot.setAttribute("aria-label", summary);
  figures.set(plot, { data, layout });
  plot.style.height = `${layout.height}px`; // plotly would follow the element's when the window is resized
  await Plotly.react(plot, data, layout, { displayModeBar: false, responsive: true });
}

// In the page's language: plotly measures its texts before it shows them.
function translateFigure({ data, layout }) {
  const write = (part) => ({ ...part, text: translate(part.text) });
  const named = data.map((trace) => ({ ...trace, ...translateAll(trace, ["name", "text", "hovertemplate"]) }));
  const axes = Object.entries(layout).filter(([key, { title } = {}]) => /^[xy]axis/.test(key) && title?.text);
  return { data: named, layout: {
    ...layout, separators: marks.decimal + marks.group,
    ...Object.fromEntries(axes.map(([key, axis]) => [key, { ...axis, title: write(axis.title) }])),
    ...(layout.title && { title: write(layout.title) }),
    ...(layout.annotations && { annotations: layout.annotations.map(write) }),
  } };
}

const translateAll = (trace, names) => Object.fromEntries(names.filter((name) => trace[name]).map((name) => [name, translate(trace[name])]));

function saveButtons(Plotly, plot, name) {
  const save = (format) => async () => {
    const { data, layout } = figures.get(plot);
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
