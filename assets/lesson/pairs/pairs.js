// Station 4: is streaming slower? Pairs of a streamed and a whole request, and the differences of their totals.

import { COLOURS, LEGEND_ABOVE, createLayout, draw } from "../shared/charts.js";
import { choosePace, comparePairs, difference, orderPairs, describeNoise, describeSpeed, describeTexts, describeVerdict } from "./comparison.js";
import { element, fillTable, bindOutput, bindRun } from "../shared/dom.js";
import { formatCount, formatSeconds } from "../shared/format.js";
import { bindPlan, formatEstimate, watchModelRate } from "../shared/plan.js";
import { bindQuota } from "../shared/quota.js";
import { measureTotal } from "../shared/sample.js";

const PAINT_MS = 50; // to paint a small chart

export function mount(root) {
  const find = (name) => root.querySelector(`#pairs-${name}`);
  const readSettings = () => ({ pairs: Number(find("count").value), length: Number(find("length").value), pace: readPace(find("speed")) });
  const count = () => ({ requests: 2 * (readSettings().pairs + 1), tokens: 2 * (readSettings().pairs + 1) * readSettings().length, pace: readSettings().pace });
  bindOutput(find("count"), find("count-shown"));
  const plan = bindPlan(root, find("plan"), [find("count"), find("length"), find("speed")], count);
  bindSpeed(find("speed"), plan);
  const confirm = bindQuota(find("status"), () => count().requests);
  bindRun({ begin: find("begin"), stop: find("stop"), status: find("status") }, async (signal) => {
    if (await confirm()) await run(find, readSettings(), plan, signal);
  });
}

const readPace = (speed) => (speed.value === "real" ? null : Number(speed.value));

// The default speed for this machine, until the user chooses one.
function bindSpeed(speed, plan) {
  let chosen = false;
  speed.addEventListener("input", () => { chosen = true; });
  watchModelRate((rate) => {
    if (!chosen) speed.value = String(choosePace(rate) ?? "real");
    plan.show();
  });
}

// A warm-up pair, then the others. Results are shown between pairs, never within one.
async function run(find, { pairs: wanted, length, pace }, plan, signal) {
  const status = find("status");
  status.textContent = "Warming up: a pair that is dropped.";
  let latest = await measurePair(orderPairs(1)[0], { length, pace }, signal);
  const speed = describeSpeed(pace, latest.whole);
  plan.learn(latest.whole, pace);
  clear(find); // only now: a refusal leaves what was measured before
  const pairs = [];
  for (const order of orderPairs(wanted)) {
    const rest = (wanted - pairs.length) * (latest.streamed.total + latest.whole.total);
    status.textContent = `Pair ${pairs.length + 1} of ${wanted}; about ${formatEstimate(rest)} left.`;
    latest = await measurePair(order, { length, pace }, signal);
    pairs.push(latest);
    await show(find, pairs, length, speed);
    await letPaint();
  }
  const summary = [describeVerdict(comparePairs(pairs), speed), describeNoise(pairs), describeTexts(pairs)].filter(Boolean).join(" ");
  const announced = element("span", { class: "unseen" }, ` ${summary}`); // for screen readers
  status.replaceChildren(`Done: ${wanted} pairs, after a warm-up pair that was dropped.`, announced);
}

// {streamed, whole, first}
async function measurePair(order, asked, signal) {
  const pair = { first: order[0] };
  for (const mode of order) pair[mode] = await measureTotal(mode, asked, signal);
  return pair;
}

// Lets the browser paint now, and not while the next request is timed.
const letPaint = () => new Promise((resolve) => setTimeout(resolve, PAINT_MS));

function clear(find) {
  for (const name of ["verdict", "noise", "texts", "each", "meaning"]) find(name).hidden = true;
  for (const name of ["verdict", "noise", "texts"]) find(name).textContent = "";
  for (const name of ["chart", "table", "rows"]) find(name).replaceChildren();
}

async function show(find, pairs, length, speed) {
  find("each").hidden = false;
  fillTable(find("rows"), `Totals by this browser's clock; ${length} tokens asked for each time`,
    ["pair", "first", "tokens", "streamed", "whole", "streamed − whole", "texts"], pairs.map(row));
  if (pairs.length < 2) return; // one difference has no interval
  const comparison = comparePairs(pairs);
  write(find("verdict"), describeVerdict(comparison, speed));
  write(find("noise"), describeNoise(pairs));
  write(find("texts"), describeTexts(pairs));
  find("meaning").hidden = false;
  showMeans(find("table"), comparison, pairs.length);
  const what = `The difference of totals of each of ${pairs.length} pairs, around zero, with their mean and its 95 % interval`;
  await draw(find("chart"), plot(pairs, comparison), { name: "pairs", summary: `${what}. ${describeVerdict(comparison, speed)}` });
}

function write(host, text) {
  host.hidden = text === "";
  host.textContent = text;
}

function row(pair, at) {
  const { first, streamed, whole } = pair;
  const tokens = [...new Set([streamed.tokens, whole.tokens])].map(formatCount).join(" and ");
  const texts = streamed.text === whole.text ? "equal" : "differ";
  return [at + 1, first, tokens, formatSeconds(streamed.total), formatSeconds(whole.total), `${formatSigned(1000 * difference(pair))} ms`, texts];
}

function showMeans(host, { seconds, percent, streamed, whole }, count) {
  const describe = (unit, factor, interval) => {
    const [mean, low, high] = [interval.mean, interval.low, interval.high].map((value) => formatSigned(factor * value));
    return [unit, mean, `${low} to ${high}`];
  };
  fillTable(host, `Mean totals of ${count} pairs: ${formatSeconds(streamed)} streamed, ${formatSeconds(whole)} whole. By this browser's clock.`,
    ["streamed − whole", "mean", "95 % interval (Student's t)"],
    [describe("in ms", 1000, seconds), describe("in % of the whole's mean", 1, percent)]);
}

// "+1.2", "−0.4", "0.0"
function formatSigned(value) {
  const digits = Math.abs(value).toFixed(1);
  if (Number(digits) === 0) return digits;
  return `${value > 0 ? "+" : "−"}${digits}`;
}

function plot(pairs, { seconds }) {
  const [colour, edge] = [COLOURS.neutral, pairs.length + 0.5];
  const dots = (first, symbol) => {
    const there = pairs.map((pair, at) => ({ pair, at })).filter(({ pair }) => pair.first === first);
    return {
      name: `a pair, ${first} first`, type: "scatter", mode: "markers", x: there.map(({ at }) => at + 1),
      y: there.map(({ pair }) => 1000 * difference(pair)), marker: { color: colour, size: 9, symbol, line: { color: colour, width: 2 } },
      hovertemplate: "pair %{x}: %{y:.1f} ms<extra></extra>",
    };
  };
  const level = (value) => ({ type: "scatter", mode: "lines", x: [0.5, edge], y: [1000 * value, 1000 * value], hoverinfo: "skip" });
  const data = [
    { ...level(seconds.low), line: { width: 0 }, showlegend: false },
    { ...level(seconds.high), line: { width: 0 }, fill: "tonexty", fillcolor: "rgba(128,128,128,0.28)", name: "95 % interval" },
    { ...level(seconds.mean), line: { color: colour, width: 2.5 }, name: "mean" },
    dots("streamed", "circle"), dots("whole", "circle-open"),
  ];
  return { data, layout: createLayout("pair", "streamed − whole, ms", {
    height: 360, legend: LEGEND_ABOVE,
    xaxis: { range: [0.5, edge], dtick: Math.ceil(pairs.length / 10), tick0: 1, rangemode: "normal" },
    yaxis: {
      range: findRange(pairs, seconds), rangemode: "normal", exponentformat: "none",
      zeroline: true, zerolinecolor: COLOURS.neutral, zerolinewidth: 2,
    },
  }) };
}

// Zero is in the middle and every dot inside; the interval of very few pairs may exceed it.
function findRange(pairs, { low, high }) {
  const farthest = Math.max(...pairs.map((pair) => Math.abs(difference(pair))), 1e-4);
  const reach = 1150 * Math.min(Math.max(farthest, -low, high), 2 * farthest);
  return [-reach, reach];
}
