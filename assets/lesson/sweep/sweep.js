// Station 3: time to first text and total against the length of the answer, by this browser's clock.

import { COLOURS, LEGEND_ABOVE, createLayout, draw } from "../shared/charts.js";
import { element, fillTable, bindRun } from "../shared/dom.js";
import { formatCount, formatRange, formatSeconds } from "../shared/format.js";
import { bindPlan, formatEstimate } from "../shared/plan.js";
import { fetchTokenLimits, measure } from "../shared/sample.js";

const LENGTHS = [16, 32, 64, 128, 256, 512];
const MODES = ["streamed", "whole"];
const SAMPLES = 3; // of each length in each mode
const WARM_UP = 8; // tokens of the two requests that are dropped, one in each mode; the first estimate comes from them

export function mount(root) {
  const find = (name) => root.querySelector(`#sweep-${name}`);
  const longest = find("longest");
  const chosen = () => LENGTHS.filter((length) => length <= Number(longest.value));
  const times = 2 * SAMPLES;
  const count = () => ({ requests: times * chosen().length + 2, tokens: times * sum(chosen()) + 2 * WARM_UP });
  const plan = bindPlan(root, find("plan"), [longest], count);
  bindRun({ begin: find("begin"), stop: find("stop"), status: find("status") }, (signal) => sweep(find, chosen(), plan, signal));
}

// All lengths in both modes, SAMPLES times. Results are drawn between requests, since drawing takes the model's cores. A point is
// {length, streamed, whole}, the latter two lists of samples.
async function sweep(find, chosen, plan, signal) {
  const status = find("status");
  status.textContent = "Warming up: two short requests that are dropped.";
  const lengths = await selectLengths(find("left-out"), chosen, signal);
  let latest = await measure("streamed", WARM_UP, signal);
  await measure("whole", WARM_UP, signal);
  const points = lengths.map((length) => ({ length, streamed: [], whole: [] }));
  const round = points.flatMap((point) => MODES.map((mode) => ({ point, mode })));
  const steps = Array(SAMPLES).fill(round).flat();
  for (const [at, { point, mode }] of steps.entries()) {
    const rest = sum(steps.slice(at).map((step) => estimateTotal(latest, step.point.length)));
    status.textContent = `${point.length} tokens, ${mode}: ${at + 1} of ${steps.length}; about ${formatEstimate(rest)} left.`;
    const sample = await measure(mode, point.length, signal);
    if (mode === "streamed") plan.learn(latest = sample);
    point[mode].push(sample);
    await show(find, points.filter(({ streamed }) => streamed.length), lengths);
  }
  const announced = element("span", { class: "unseen" }, ` ${describeSweep(points)}`); // for screen readers
  status.replaceChildren(`Done: ${steps.length} requests, after two short ones that were dropped.`, announced);
}

// The lengths that this server accepts; shows which are left out, and why.
async function selectLengths(host, chosen, signal) {
  const { limit, prompt, available } = await fetchTokenLimits(signal);
  const left = chosen.filter((length) => length > available);
  host.hidden = left.length === 0;
  host.textContent = host.hidden ? "" : `Left out: ${left.join(", ")} tokens, since with the prompt's ${formatCount(prompt)} tokens that is more than the `
    + `${formatCount(limit)} this server takes in all (max_total_tokens).`;
  const lengths = chosen.filter((length) => length <= available);
  if (!lengths.length) throw new Error("This server takes none of these lengths: start it with a larger --max-total-tokens.");
  return lengths;
}

// How long an answer of `length` tokens takes at the last sample's TTFT and rate.
function estimateTotal({ ttft, total, tokens }, length) {
  const first = ttft ?? total;
  return first + (length - 1) * ((total - first) / Math.max(tokens - 1, 1));
}

async function show(find, points, lengths) {
  const sentence = describeSweep(points);
  find("verdict").hidden = sentence === "";
  find("verdict").textContent = sentence;
  const caption = `Medians of up to ${SAMPLES} samples each, from the request on, by this browser's clock. `
    + "TTFT: time to first token, here to the first text.";
  fillTable(find("table"), caption, ["tokens", "streamed: TTFT", "streamed: total", "whole: TTFT = total"], points.map(row));
  const summary = `Time to first text and total against the length of the answer. ${sentence} The table below has the medians.`;
  await draw(find("chart"), plot(points, lengths), { name: "sweep", summary });
}

function row(point) {
  const { streamed, whole } = point;
  return [describeLength(point), formatSeconds(median(streamed, "ttft")), formatSeconds(median(streamed, "total")), formatSeconds(median(whole, "total"))];
}

// The length requested, or the tokens that came where they differ.
function describeLength({ length, streamed, whole }) {
  const counts = [...new Set([...streamed, ...whole].map(({ tokens }) => tokens))];
  return counts.every((tokens) => tokens === length) ? formatCount(length) : `${counts.join(" and ")} (of ${length})`;
}

// The median of the samples' values of `key`; null where none has one.
function median(samples, key) {
  const values = samples.map((sample) => sample[key]).filter((value) => value !== null).sort((one, two) => one - two);
  const half = values.length / 2;
  if (!values.length) return null;
  return (values[Math.ceil(half) - 1] + values[Math.floor(half)]) / 2;
}

// The measurements in one sentence; empty before streamed and whole can be compared.
function describeSweep(points) {
  const both = points.filter(({ streamed, whole }) => median(streamed, "ttft") !== null && whole.length);
  if (!both.length) return "";
  const counts = both.map(({ streamed }) => streamed[0].tokens);
  const [shortest, longest] = [Math.min(...counts), Math.max(...counts)];
  const range = shortest === longest ? `At ${shortest} tokens` : `From ${shortest} to ${longest} tokens`;
  const first = formatRange(both.map(({ streamed }) => median(streamed, "ttft")));
  return `${range} the first text came after ${first} with streaming; waiting took ${formatRange(both.map(({ whole }) => median(whole, "total")))}.`;
}

const sum = (values) => values.reduce((total, value) => total + value, 0);

function plot(points, lengths) {
  const drawLine = (name, mode, key, { line, marker }) => {
    const there = points.filter((point) => median(point[mode], key) !== null);
    const samples = there.flatMap((point) => point[mode]).filter((sample) => sample[key] !== null);
    const shared = { type: "scatter", name, legendgroup: name, cliponaxis: false, hovertemplate: `%{x} tokens: %{y:.3~f} s<extra>${name}</extra>` };
    const medians = { x: there.map((point) => point[mode][0].tokens), y: there.map((point) => median(point[mode], key)) };
    return [
      { ...shared, ...medians, mode: "lines+markers", line, marker },
      { ...shared, x: samples.map(({ tokens }) => tokens), y: samples.map((sample) => sample[key]), mode: "markers", marker: { ...marker, opacity: 0.5 }, showlegend: false },
    ];
  };
  const { streamed, whole } = COLOURS;
  const data = [
    drawLine("whole: first text = total", "whole", "total",
      { line: { color: whole, width: 2.5 }, marker: { color: whole, size: 8, symbol: "square" } }),
    drawLine("streamed: total", "streamed", "total",
      { line: { color: streamed, width: 2, dash: "dot" }, marker: { color: streamed, size: 12, symbol: "circle-open", line: { width: 2 } } }),
    drawLine("streamed: first text (TTFT)", "streamed", "ttft",
      { line: { color: streamed, width: 2.5 }, marker: { color: streamed, size: 8 } }),
  ].flat();
  // The axis has all lengths from the start, so that nothing moves sideways.
  const range = [Math.log10(lengths[0] / 1.3), Math.log10(lengths.at(-1) * 1.3)];
  return { data, layout: createLayout("tokens of the answer (log scale)", "seconds, this browser's clock", {
    height: 360, legend: LEGEND_ABOVE, xaxis: { type: "log", range, tickvals: lengths, ticktext: lengths.map(String) },
  }) };
}
