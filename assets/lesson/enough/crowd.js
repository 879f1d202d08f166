// What happens to each client of a crowd: from the server's events to figures.

import { COLOURS, createLayout } from "../shared/charts.js";

// A visit for each client: moments in seconds since the crowd began, null until they come.
export function createVisits(count) {
  return Array.from({ length: count }, (_, index) => ({
    client: index + 1, asked: null, refused: [], admitted: null, started: null, first: null, end: null, latest: null,
  }));
}

export function applyEvent(visits, { event, at, client, started }) {
  for (const each of visits) each.latest = at;
  const visit = visits[client - 1];
  if (!visit) return;
  if (event === "asked") visit.asked ??= at;
  else if (event === "refused") visit.refused.push(at);
  else if (event === "admitted") visit.admitted = at;
  else if (event === "first_token") Object.assign(visit, { started, first: at });
  else if (["served", "gave_up", "failed"].includes(event)) visit.end = at;
}

// A row for each client: a thin line while it waits, a cross at each refusal, then queue, prefill and streaming as bars.
// An engine elsewhere does not tell its queue from its prefill.
export function plotGantt(visits) {
  const ends = ({ end, latest }) => end ?? latest;
  const bars = (name, color, from, to) => {
    const rows = visits.filter((visit) => from(visit) !== null && to(visit) !== null);
    return {
      type: "bar", orientation: "h", name, y: rows.map((visit) => visit.client), base: rows.map(from),
      x: rows.map((visit) => Math.max(to(visit) - from(visit), 0)), width: 0.7, marker: { color },
      hovertemplate: `client %{y}: ${name}, %{x:.3f} s<extra></extra>`,
    };
  };
  const isElsewhere = visits.some((visit) => visit.first !== null && visit.started === null);
  const waiting = visits.filter((visit) => visit.asked !== null);
  const marks = visits.flatMap((visit) => visit.refused.map((at) => [at, visit.client]));
  const line = { type: "scatter", mode: "lines", name: "asking, backing off", line: { color: COLOURS.neutral, width: 1 }, hoverinfo: "skip" };
  const cross = { type: "scatter", mode: "markers", name: "429", marker: { symbol: "x-thin", size: 7, line: { color: COLOURS.neutral, width: 1.5 } } };
  const data = [
    { ...line, x: waiting.flatMap((visit) => [visit.asked, visit.admitted ?? ends(visit), null]), y: waiting.flatMap((visit) => [visit.client, visit.client, null]) },
    bars(isElsewhere ? "waiting for the engine" : "queue", pale(COLOURS.neutral), (visit) => visit.admitted, (visit) => visit.started ?? visit.first ?? ends(visit)),
    bars("prefill", pale(COLOURS.streamed), (visit) => visit.started, (visit) => visit.first),
    bars("streaming", COLOURS.streamed, (visit) => visit.first, ends),
    { ...cross, x: marks.map(([at]) => at), y: marks.map(([, client]) => client), hovertemplate: "client %{y}: refused at %{x:.3f} s<extra></extra>" },
  ];
  const height = 130 + 14 * visits.length;
  const yaxis = { range: [visits.length + 0.8, 0.2], dtick: 5, tick0: 0, showgrid: false };
  return { data, layout: createLayout("seconds since the click", "client", { barmode: "overlay", height, yaxis, legend: placeLegend(height) }) };
}

export const toSeconds = (milliseconds) => (milliseconds == null ? null : milliseconds / 1000);

// A column for each client: the engine's durations above, the client's wait below.
export function plotTimes(clients) {
  const x = clients.map((visit) => visit.client);
  const bar = (name, color, y, axes) => ({
    type: "bar", name, x, y, marker: { color }, hovertemplate: `client %{x}: ${name}, %{y:.3f} s<extra></extra>`, ...axes,
  });
  const data = [
    bar("queue", pale(COLOURS.neutral), clients.map((visit) => toSeconds(visit.timings?.queue_time)), { yaxis: "y2" }),
    bar("TTFT", COLOURS.streamed, clients.map((visit) => toSeconds(visit.timings?.time_to_first_token)), { yaxis: "y2" }),
    bar("waited since the click", COLOURS.neutral, clients.map((visit) => visit.waited)),
  ];
  const height = 340;
  const layout = createLayout("client", "s, client", { height, bargap: 0.25, legend: placeLegend(height), yaxis: { domain: [0, 0.44] }, xaxis: { range: [0.3, clients.length + 0.7], dtick: 5, tick0: 0, showgrid: false } });
  layout.yaxis2 = { ...layout.yaxis, domain: [0.56, 1], title: { ...layout.yaxis.title, text: "s, engine" }, anchor: "x" };
  return { data, layout };
}

// At the same distance below the x axis, whatever the height.
const placeLegend = (height) => ({ orientation: "h", x: 0, y: -64 / (height - 100), yanchor: "top" });

// Half transparent, in the legend too, where plotly ignores `opacity`.
const pale = (color) => `${color}80`;
