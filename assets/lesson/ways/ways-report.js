// What each way to a job's answer took, as `/jobs/{id}/report` tells it: a sentence, a table, and a chart for each way.
// Every time here is of the engine's clock, in seconds since the job was asked for.
"use strict";

import { NEUTRAL, accent, draw, frame } from "../shared/charts.js";
import { fillTable, sayCount, saySeconds } from "../shared/dom.js";

export const WAYS = [
  { name: "streamed", title: "Server-sent events", of: (report) => report.streamed },
  { name: "polling", title: "Polling", of: (report) => report.polled },
  { name: "webhook", title: "Webhook", of: (report) => report.webhook.report },
];

export const plural = (count, noun) => `${sayCount(count)} ${noun}${count === 1 ? "" : "s"}`;

// `find` gives the station's elements by name; `texts` is what each reader has.
export async function show(find, report, texts) {
  const said = WAYS.map(({ title, of }) => [title, of(report)]);
  const rows = said.map(([title, way]) => [
    title, sayCount(way.requests), sayCount(way.empty_replies), sayCount(way.bytes), saySeconds(way.mean_staleness),
  ]);
  find("verdict").textContent = conclude(report, texts);
  fillTable(find("table"), "One run, as the server counted it", ["Way", "Requests made", "Empty replies", "Bytes received", "Mean staleness"], rows);
  find("results").hidden = false;
  await Promise.all(WAYS.map((way) => drawArrivals(find(`${way.name}-chart`), way, report)));
}

function conclude(report, texts) {
  const { streamed, polled, webhook } = report;
  const same = texts.every((text) => text === texts[0]);
  const what = same ? `The same ${plural(report.tokens.length, "token")}, letter for letter.` : "The three texts differ.";
  const ages = [streamed, polled, webhook.report].map((way) => saySeconds(way.mean_staleness));
  const empty = polled.empty_replies ? `, ${sayCount(polled.empty_replies)} of them in vain` : "";
  return `${what} On average a token was ${ages[0]} old when the stream sent it, ${ages[1]} by polling with `
    + `${plural(polled.requests, "request")}${empty}, and ${ages[2]} by webhook.`;
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
  const layout = frame("seconds since the job was asked for", "tokens", {
    margin: { l: 8, r: 12, t: 34, b: 8 }, title: { text: title, font: { size: 13 }, x: 0 },
    legend: { orientation: "h", x: 0, y: -0.26, yanchor: "top" },
    xaxis: { range: [0, last * 1.02] }, yaxis: { range: [0, report.tokens.length * 1.05] },
  });
  const summary = `${title}: ${plural(report.tokens.length, "token")} in ${plural(arrivals.length, "arrival")}; the first after `
    + `${saySeconds(arrivals[0]?.[0])}, all after ${saySeconds(arrivals.at(-1)?.[0])}.`;
  await draw(host, { data, layout }, { name: `arrivals-${name}`, summary });
}
