// A token's journey: the durations of the last race, one line for each side.

import constants from "../../constants.js";
import { translate } from "../../page/language.js";
import { COLOURS, createLayout, draw } from "../shared/charts.js";
import { formatSeconds } from "../shared/format.js";

const SIDES = constants.titles;
const WAITING = "waiting for the engine"; // elsewhere: queue and prefill cannot be told apart
const PARTS = ["queued", WAITING, "prefill", "decode", "delivery", "paint"];
const SHADES = { queued: 0.25, [WAITING]: 0.4, prefill: 0.5, decode: 0.8, delivery: 0.35, paint: 1 };
const TOKENS = "Engine's tokens";
// What brings the text to this page: its name is the page's.
const nameOf = (part) => (part === "delivery" ? document.getElementById("station-journey").dataset.delivery : part);
const PATTERNS = { queued: ".", [WAITING]: "-", prefill: "/", decode: "", delivery: "x", paint: "" };

export function mount(root) {
  const status = root.querySelector(".status");
  const show = () => {
    const { run, marks } = window.tokenStreaming;
    if (!run) return;
    const journeys = Object.keys(SIDES).map((side) => [side, measureParts(side, run.trace, marks(side))]).filter(([, parts]) => parts);
    status.textContent = journeys.length ? journeys.map(describeJourney).join(" ") : "The last race showed no text on either side.";
    if (journeys.length) drawJourneys(root.querySelector(".journey-chart"), journeys, run.trace);
  };
  document.addEventListener("run", show);
  show();
}

// One side's durations in seconds: to the first text of the streamed side, to the whole text of the other.
// `marks` are moments of this browser's clock: asked, arrived (the first text), painted.
function measureParts(side, trace, marks) {
  const first = trace.tokens.find(([, , text]) => text !== "");
  if (!first || marks.painted === null) return null;
  const decoded = side === "streamed" ? first[0] : trace.end;
  const prefill = trace.tokens[0][0];
  return {
    queued: trace.elsewhere ? 0 : trace.started,
    [WAITING]: trace.elsewhere ? prefill : 0,
    prefill: trace.elsewhere ? 0 : prefill - trace.started,
    decode: decoded - prefill,
    delivery: Math.max((marks.arrived - marks.asked) / 1000 - decoded, 0),
    paint: (marks.painted - marks.arrived) / 1000,
  };
}

function describeJourney([side, parts]) {
  const durations = PARTS.filter((part) => parts[part] > 0).map((part) => translate(`${nameOf(part)} ${formatSeconds(parts[part])}`));
  const reached = side === "streamed" ? "to the first text on the screen" : "to the whole text on the screen";
  return `${SIDES[side]}, ${reached}: ${durations.join(", ")}.`;
}

function drawJourneys(host, journeys, trace) {
  const bars = journeys.flatMap(([side, parts]) => PARTS.map((part) => ({
    type: "bar", orientation: "h", showlegend: false, y: [SIDES[side]], x: [parts[part]],
    marker: { color: COLOURS[side], opacity: SHADES[part], pattern: { shape: PATTERNS[part], fillmode: "overlay", fgcolor: "#fff" } },
    text: `${nameOf(part)} ${formatSeconds(parts[part])}`, textposition: "inside", insidetextanchor: "middle", textangle: 0,
    hovertemplate: `${nameOf(part)} %{x:.3f} s<extra>${SIDES[side]}</extra>`,
  })));
  const ticks = {
    type: "scatter", mode: "markers", showlegend: false,
    x: trace.tokens.map(([time]) => time), y: trace.tokens.map(() => TOKENS),
    marker: { symbol: "line-ns-open", size: 12, color: COLOURS.neutral }, hovertemplate: "%{x:.3f} s<extra>a token</extra>",
  };
  const layout = createLayout("seconds", "", {
    height: 240, barmode: "stack", uniformtext: { mode: "hide", minsize: 12 },
    yaxis: { type: "category", categoryarray: [TOKENS, SIDES.whole, SIDES.streamed], categoryorder: "array", rangemode: "normal" },
  });
  draw(host, { data: [...bars, ticks], layout }, { name: "journey", summary: journeys.map(describeJourney).join(" ") });
}
