// A token's journey: the last race as durations, one line for each side.
"use strict";

import { NEUTRAL, accent, draw, frame } from "../shared/charts.js";
import { saySeconds } from "../shared/dom.js";

const SIDES = { streamed: "Streaming", whole: "Non-streaming" };
const PARTS = ["queued", "prefill", "decode", "Gradio", "paint"];
const SHADES = { queued: 0.25, prefill: 0.5, decode: 0.8, Gradio: 0.35, paint: 1 };
const MADE = "Engine's tokens";
const PATTERNS = { queued: ".", prefill: "/", decode: "", Gradio: "x", paint: "" };

export function mount(root) {
  const status = root.querySelector(".status");
  const show = () => {
    const { run, marks } = window.tokenStreaming;
    if (!run) return;
    const journeys = Object.keys(SIDES).map((side) => [side, follow(side, run.trace, marks(side))]).filter(([, parts]) => parts);
    status.textContent = journeys.length ? journeys.map(say).join(" ") : "The last race showed no text on either side.";
    if (journeys.length) drawJourneys(root.querySelector(".journey-chart"), journeys, run.trace);
  };
  document.addEventListener("run", show);
  show();
}

// The durations of one side, in seconds: to the first text of the streamed one, to all of the other.
// `marks` are moments of this browser's clock: asked, arrived (the first text), painted.
function follow(side, trace, marks) {
  const first = trace.tokens.find(([, , text]) => text !== "");
  if (!first || marks.painted === null) return null;
  const made = side === "streamed" ? first[0] : trace.end;
  const prefill = trace.tokens[0][0];
  return {
    queued: trace.started,
    prefill: prefill - trace.started,
    decode: made - prefill,
    Gradio: Math.max((marks.arrived - marks.asked) / 1000 - made, 0),
    paint: (marks.painted - marks.arrived) / 1000,
  };
}

function say([side, parts]) {
  const said = PARTS.filter((part) => parts[part] > 0).map((part) => `${part} ${saySeconds(parts[part])}`);
  return `${SIDES[side]}, to the ${side === "streamed" ? "first text" : "whole text"} on the screen: ${said.join(", ")}.`;
}

function drawJourneys(host, journeys, trace) {
  const bars = journeys.flatMap(([side, parts]) => PARTS.map((part) => ({
    type: "bar", orientation: "h", showlegend: false, y: [SIDES[side]], x: [parts[part]],
    marker: { color: accent(side), opacity: SHADES[part], pattern: { shape: PATTERNS[part], fillmode: "overlay", fgcolor: "#fff" } },
    text: `${part} ${saySeconds(parts[part])}`, textposition: "inside", insidetextanchor: "middle", textangle: 0,
    hovertemplate: `${part} %{x:.3f} s<extra>${SIDES[side]}</extra>`,
  })));
  const ticks = {
    type: "scatter", mode: "markers", showlegend: false,
    x: trace.tokens.map(([time]) => time), y: trace.tokens.map(() => MADE),
    marker: { symbol: "line-ns-open", size: 12, color: NEUTRAL }, hovertemplate: "%{x:.3f} s<extra>a token</extra>",
  };
  const layout = frame("seconds", "", {
    height: 240, barmode: "stack", uniformtext: { mode: "hide", minsize: 12 },
    yaxis: { type: "category", categoryarray: [MADE, SIDES.whole, SIDES.streamed], categoryorder: "array", rangemode: "normal" },
  });
  draw(host, { data: [...bars, ticks], layout }, { name: "journey", summary: journeys.map(say).join(" ") });
}
