// Station 3: time to first text and total against the length of the answer, streamed and whole. Knows no engine's clock.
"use strict";

import { accent, draw, frame } from "../shared/charts.js";
import { element, fillTable, sayCount, saySeconds, tieRun } from "../shared/dom.js";
import { sayAbout, tiePlan } from "../shared/plan.js";
import { findRoom, measure } from "../shared/sample.js";

const LENGTHS = [16, 32, 64, 128, 256, 512];
const MODES = ["streamed", "whole"];
const ABOVE = { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", traceorder: "normal" };
const SAMPLES = 3; // of each length in each mode; lines go through their medians
const WARM_UP = 8; // tokens of the two requests before the first that counts: one for each mode, and they tell the pace

export function mount(root) {
  const find = (name) => root.querySelector(`#sweep-${name}`);
  const longest = find("longest");
  const chosen = () => LENGTHS.filter((length) => length <= Number(longest.value));
  const times = 2 * SAMPLES;
  const count = () => ({ requests: times * chosen().length + 2, tokens: times * sum(chosen()) + 2 * WARM_UP });
  const plan = tiePlan(root, find("plan"), [longest], count);
  tieRun({ begin: find("begin"), stop: find("stop"), status: find("status") }, (signal) => sweep(find, chosen(), plan, signal));
}

// All lengths in both modes, and again; shown after each request and never during one: drawing takes time that is not the
// server's. A point is {length, streamed, whole}, the latter two samples.
async function sweep(find, chosen, plan, signal) {
  const status = find("status");
  status.textContent = "Warming up: two short requests that are dropped.";
  const lengths = await fit(find("left-out"), chosen, signal);
  let latest = await measure("streamed", WARM_UP, signal);
  await measure("whole", WARM_UP, signal);
  const points = lengths.map((length) => ({ length, streamed: [], whole: [] }));
  const round = points.flatMap((point) => MODES.map((mode) => ({ point, mode })));
  const steps = Array(SAMPLES).fill(round).flat();
  for (const [at, { point, mode }] of steps.entries()) {
    const rest = sum(steps.slice(at).map((step) => predict(latest, step.point.length)));
    status.textContent = `${point.length} tokens, ${mode}: ${at + 1} of ${steps.length}; about ${sayAbout(rest)} left.`;
    const sample = await measure(mode, point.length, signal);
    if (mode === "streamed") plan.learn(latest = sample);
    point[mode].push(sample);
    await show(find, points.filter(({ streamed }) => streamed.length), lengths);
  }
  const heard = element("span", { class: "unseen" }, ` ${saySweep(points)}`); // read out; seen below
  status.replaceChildren(`Done: ${steps.length} requests, after two short ones that were dropped.`, heard);
}

// The lengths that this server takes; says which are left out, and why.
async function fit(host, chosen, signal) {
  const { most, prompt, room } = await findRoom(signal);
  const left = chosen.filter((length) => length > room);
  const why = `with the prompt's ${sayCount(prompt)} tokens that is more than the ${sayCount(most)} this server takes in all`;
  host.hidden = left.length === 0;
  host.textContent = left.length ? `Left out: ${left.join(", ")} tokens, since ${why} (max_total_tokens).` : "";
  const lengths = chosen.filter((length) => length <= room);
  if (!lengths.length) throw new Error("This server takes none of these lengths: start it with a larger --max-total-tokens.");
  return lengths;
}

// About how long an answer of `length` tokens takes: the first text as lately, then each token as lately.
function predict({ ttft, total, tokens }, length) {
  const first = ttft ?? total;
  return first + (length - 1) * ((total - first) / Math.max(tokens - 1, 1));
}

async function show(find, points, lengths) {
  const sentence = saySweep(points);
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
  return [sayLength(point), saySeconds(median(streamed, "ttft")), saySeconds(median(streamed, "total")), saySeconds(median(whole, "total"))];
}

// What was asked for, and what came where that is not the same.
function sayLength({ length, streamed, whole }) {
  const came = [...new Set([...streamed, ...whole].map(({ tokens }) => tokens))];
  return came.every((tokens) => tokens === length) ? sayCount(length) : `${came.join(" and ")} (of ${length})`;
}

// The middle one of what the samples have of `key`, null where none has it.
function median(samples, key) {
  const values = samples.map((sample) => sample[key]).filter((value) => value !== null).sort((one, two) => one - two);
  const half = values.length / 2;
  if (!values.length) return null;
  return (values[Math.ceil(half) - 1] + values[Math.floor(half)]) / 2;
}

// What has been measured so far, in one plain sentence; empty before anything can be compared.
export function saySweep(points) {
  const both = points.filter(({ streamed, whole }) => median(streamed, "ttft") !== null && whole.length);
  if (!both.length) return "";
  const [shortest, longest] = extent(both.map(({ streamed }) => streamed[0].tokens));
  const range = shortest === longest ? `At ${shortest} tokens` : `From ${shortest} to ${longest} tokens`;
  const first = sayRange(both.map(({ streamed }) => median(streamed, "ttft")));
  return `${range} the first text came after ${first} with streaming; waiting took ${sayRange(both.map(({ whole }) => median(whole, "total")))}.`;
}

// "120 ms", "120 to 140 ms", "0.90 to 28.1 s": in one unit, the greater one's.
function sayRange(values) {
  const [low, high] = extent(values);
  const [least, most] = [saySeconds(low), saySeconds(high)];
  if (least === most) return least;
  if (most.endsWith(" ms")) return `${least.slice(0, -3)} to ${most}`;
  return `${low.toFixed(low < 9.995 ? 2 : 1)} to ${most}`;
}

const extent = (values) => [Math.min(...values), Math.max(...values)];
const sum = (values) => values.reduce((total, value) => total + value, 0);

function plot(points, lengths) {
  const draw = (name, mode, key, { line, marker }) => {
    const there = points.filter((point) => median(point[mode], key) !== null);
    const samples = there.flatMap((point) => point[mode]).filter((sample) => sample[key] !== null);
    const shared = { type: "scatter", name, legendgroup: name, cliponaxis: false, hovertemplate: `%{x} tokens: %{y:.3~f} s<extra>${name}</extra>` };
    const medians = { x: there.map((point) => point[mode][0].tokens), y: there.map((point) => median(point[mode], key)) };
    return [
      { ...shared, ...medians, mode: "lines+markers", line, marker },
      { ...shared, x: samples.map(({ tokens }) => tokens), y: samples.map((sample) => sample[key]), mode: "markers", marker: { ...marker, opacity: 0.5 }, showlegend: false },
    ];
  };
  const [streamed, whole] = [accent("streamed"), accent("whole")];
  const data = [
    draw("whole: first text = total", "whole", "total",
      { line: { color: whole, width: 2.5 }, marker: { color: whole, size: 8, symbol: "square" } }),
    draw("streamed: total", "streamed", "total",
      { line: { color: streamed, width: 2, dash: "dot" }, marker: { color: streamed, size: 12, symbol: "circle-open", line: { width: 2 } } }),
    draw("streamed: first text (TTFT)", "streamed", "ttft",
      { line: { color: streamed, width: 2.5 }, marker: { color: streamed, size: 8 } }),
  ].flat();
  // Doubling lengths stand side by side on a log axis; all of them from the start, so that nothing moves sideways.
  const range = [Math.log10(lengths[0] / 1.3), Math.log10(lengths.at(-1) * 1.3)];
  return { data, layout: frame("tokens of the answer (log scale)", "seconds, this browser's clock", {
    height: 360, legend: ABOVE, xaxis: { type: "log", range, tickvals: lengths, ticktext: lengths.map(String) },
  }) };
}
