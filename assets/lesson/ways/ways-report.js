// The costs of each way to a job's answer, from `/jobs/{id}/report`: a sentence, a table, and a chart for each way. Times are
// seconds since the job was submitted, on the engine's clock.

import constants from "../../constants.js";
import { COLOURS, createLayout, draw } from "../shared/charts.js";
import { fillTable } from "../shared/dom.js";
import { formatCount, formatPlural, formatSeconds } from "../shared/format.js";

export const WAYS = [
  { name: "streamed", title: "Server-sent events", of: (report) => report.streamed },
  { name: "polling", title: "Polling", of: (report) => report.polled },
  { name: "webhook", title: "Webhook", of: (report) => report.webhook.report },
];
const COLUMNS = ["Way", "Requests", "Empty replies", "Bytes, requests", "Bytes, replies", "Mean staleness"];

// `intervals` are the run's polling intervals; this run's row is added to `earlier`, the rows by interval; `texts` are each
// reader's.
export async function showReport(find, { report, intervals, earlier, texts }) {
  const polling = `Polling every ${intervals.join(", then ")} s`;
  const rows = WAYS.map(({ name, title, of }) => createRow(name === "polling" ? polling : title, of(report)));
  const others = [...earlier].filter(([title]) => title !== polling).map(([, [title, ...cells]]) => [`${title}, earlier run`, ...cells]);
  earlier.set(polling, rows[1]);
  find("verdict").textContent = describeReport(report, polling.toLowerCase(), texts);
  fillTable(find("table"), "As the server counted it", COLUMNS, [...rows, ...others]);
  find("results").hidden = false;
  await Promise.all(WAYS.map((way) => drawArrivals(find(`${way.name}-chart`), way, report)));
}

function createRow(title, way) {
  const counts = [way.requests, way.empty_replies, way.request_bytes, way.reply_bytes].map(formatCount);
  return [title, ...counts, formatSeconds(way.mean_staleness)];
}

function describeReport(report, polling, texts) {
  const { streamed, polled, webhook } = report;
  const same = texts.every((text) => text === texts[0]);
  const bytes = formatPlural(new TextEncoder().encode(texts[0]).length, "byte");
  const what = same ? `The same ${formatPlural(report.tokens.length, "token")} three times, ${bytes} of text.` : "The three texts differ.";
  const empty = polled.empty_replies ? ` (${formatCount(polled.empty_replies)} of the replies empty)` : "";
  return `${what} The stream took ${describeCosts(streamed)}; ${polling}, ${describeCosts(polled)}${empty}; the webhook, ${describeCosts(webhook.report)}. `
    + `On average a token was ${formatSeconds(streamed.mean_staleness)} old when the stream sent it, `
    + `${formatSeconds(polled.mean_staleness)} by polling, ${formatSeconds(webhook.report.mean_staleness)} by webhook.`;
}

function describeCosts({ requests, request_bytes: asked, reply_bytes: replied }) {
  const count = formatPlural(requests, "request");
  return asked === null ? count : `${count} and ${formatCount(asked + replied)} bytes`;
}

async function drawArrivals(host, { name, title, of }, report) {
  const { arrivals } = of(report);
  const all = WAYS.flatMap((way) => way.of(report).arrivals);
  const last = Math.max(...all.map(([at]) => at));
  const generated = report.tokens.map((at, index) => [at, index + 1]);
  const steps = (points) => {
    const drawn = [[0, 0], ...points, [last, points.at(-1)?.[1] ?? 0]];
    return { x: drawn.map(([x]) => x), y: drawn.map(([, y]) => y), mode: "lines" };
  };
  const data = [
    { ...steps(arrivals), name: "its reader", line: { shape: "hv", width: 3, color: COLOURS[name] } },
    { ...steps(generated), name: "the engine", line: { shape: "hv", width: 1, color: COLOURS.neutral } },
  ];
  const layout = createLayout("seconds since the job was submitted", "tokens", {
    margin: { l: 8, r: 12, t: 34, b: 8 }, title: { text: title, font: { size: 13 }, x: 0 },
    legend: { ...constants.chart.layout.legend, y: -0.26 },
    xaxis: { range: [0, last * 1.02] }, yaxis: { range: [0, report.tokens.length * 1.05] },
  });
  const summary = `${title}: ${formatPlural(report.tokens.length, "token")} in ${formatPlural(arrivals.length, "arrival")}; the first after `
    + `${formatSeconds(arrivals[0]?.[0])}, all after ${formatSeconds(arrivals.at(-1)?.[0])}.`;
  await draw(host, { data, layout }, { name: `arrivals-${name}`, summary });
}
