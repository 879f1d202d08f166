// What each way to a job's answer took, from `/jobs/{id}/report`: sentences, a table, and a chart for each way.
// Every time here is of the engine's clock, in seconds since the job was submitted.
"use strict";

import { NEUTRAL, accent, draw, frame } from "../shared/charts.js";
import { fillTable, sayCount, saySeconds } from "../shared/dom.js";

export const WAYS = [
  { name: "streamed", title: "Server-sent events", of: (report) => report.streamed },
  { name: "polling", title: "Polling", of: (report) => report.polled },
  { name: "webhook", title: "Webhook", of: (report) => report.webhook.report },
];
const COLUMNS = ["Way", "Requests", "Empty replies", "Bytes, requests", "Bytes, replies", "Mean staleness"];

export const plural = (count, noun) => `${sayCount(count)} ${noun}${count === 1 ? "" : "s"}`;

// `find` gives the station's elements by name; `intervals` are those that were polled at, `earlier` the rows of other
// intervals, to which this run's is added; `texts` is what each reader has.
export async function show(find, { report, intervals, earlier, texts }) {
  const polling = `Polling every ${intervals.join(", then ")} s`;
  const titles = { streamed: "Server-sent events", polling, webhook: "Webhook" };
  const rows = WAYS.map(({ name, of }) => writeRow(titles[name], of(report)));
  const others = [...earlier].filter(([title]) => title !== polling).map(([, [title, ...cells]]) => [`${title}, earlier run`, ...cells]);
  earlier.set(polling, rows[1]);
  find("verdict").textContent = conclude(report, polling.toLowerCase(), texts);
  fillTable(find("table"), "As the server counted it", COLUMNS, [...rows, ...others]);
  find("results").hidden = false;
  await Promise.all(WAYS.map((way) => drawArrivals(find(`${way.name}-chart`), way, report)));
}

function writeRow(title, way) {
  const counts = [way.requests, way.empty_replies, way.request_bytes, way.reply_bytes].map(sayCount);
  return [title, ...counts, saySeconds(way.mean_staleness)];
}

function conclude(report, polling, texts) {
  const { streamed, polled, webhook } = report;
  const same = texts.every((text) => text === texts[0]);
  const bytes = plural(new TextEncoder().encode(texts[0]).length, "byte");
  const what = same ? `The same ${plural(report.tokens.length, "token")} three times, ${bytes} of text.` : "The three texts differ.";
  const empty = polled.empty_replies ? ` (${sayCount(polled.empty_replies)} of the replies empty)` : "";
  return `${what} The stream took ${describe(streamed)}; ${polling}, ${describe(polled)}${empty}; the webhook, ${describe(webhook.report)}. `
    + `On average a token was ${saySeconds(streamed.mean_staleness)} old when the stream sent it, `
    + `${saySeconds(polled.mean_staleness)} by polling, ${saySeconds(webhook.report.mean_staleness)} by webhook.`;
}

function describe({ requests, request_bytes: asked, reply_bytes: replied }) {
  const bytes = asked === null ? "" : ` and ${plural(asked + replied, "byte")}`;
  return `${plural(requests, "request")}${bytes}`;
}

async function drawArrivals(host, { name, title, of }, report) {
  const { arrivals } = of(report);
  const all = WAYS.flatMap((way) => way.of(report).arrivals);
  const last = Math.max(...all.map(([at]) => at));
  const made = report.tokens.map((at, index) => [at, index + 1]);
  const steps = (points) => {
    const drawn = [[0, 0], ...points, [last, points.at(-1)?.[1] ?? 0]];
    return { x: drawn.map(([x]) => x), y: drawn.map(([, y]) => y), mode: "lines" };
  };
  const data = [
    { ...steps(arrivals), name: "its reader", line: { shape: "hv", width: 3, color: accent(name) } },
    { ...steps(made), name: "the engine", line: { shape: "hv", width: 1, color: NEUTRAL } },
  ];
  const layout = frame("seconds since the job was submitted", "tokens", {
    margin: { l: 8, r: 12, t: 34, b: 8 }, title: { text: title, font: { size: 13 }, x: 0 },
    legend: { orientation: "h", x: 0, y: -0.26, yanchor: "top" },
    xaxis: { range: [0, last * 1.02] }, yaxis: { range: [0, report.tokens.length * 1.05] },
  });
  const summary = `${title}: ${plural(report.tokens.length, "token")} in ${plural(arrivals.length, "arrival")}; the first after `
    + `${saySeconds(arrivals[0]?.[0])}, all after ${saySeconds(arrivals.at(-1)?.[0])}.`;
  await draw(host, { data, layout }, { name: `arrivals-${name}`, summary });
}
