// Many clients at once, above the server's limit: which are served, which are refused, and what retries change.
// All times are the server's, in seconds since the crowd began.

import { draw } from "../shared/charts.js";
import { applyEvent, createVisits, plotGantt, plotTimes, toSeconds } from "./crowd.js";
import { element, fillTable, bindOutput, bindRun } from "../shared/dom.js";
import { MISSING, formatRange, formatSeconds } from "../shared/format.js";
import { bindQuota } from "../shared/quota.js";
import { ask, readEvents } from "../shared/stream.js";

const WORDS = { 5: "Five", 10: "Ten", 15: "Fifteen", 20: "Twenty", 25: "Twenty-five", 30: "Thirty", 35: "Thirty-five", 40: "Forty" };
const COLUMNS = ["client", "attempts", "status", "queue (engine)", "TTFT (engine)", "waited (client)", "end"];
const REDRAW_MS = 400;
const IN_FLIGHT = "Requests in flight …";

export function mount(root) {
  const find = (name) => root.querySelector(`#enough-${name}`);
  const [clients, limit, status, stop] = ["clients", "limit", "status", "stop"].map(find);
  const begins = { once: find("once"), patient: find("patient") };
  bindOutput(clients, find("clients-said"));
  bindOutput(limit, find("limit-said"));
  const showName = () => { begins.once.textContent = `${WORDS[clients.value]} people click at once`; };
  clients.addEventListener("input", showName);
  showName();
  for (const [way, begin] of Object.entries(begins)) {
    const other = begins[way === "once" ? "patient" : "once"];
    const confirm = bindQuota(status, () => Number(clients.value));
    bindRun({ begin, stop, status }, async (signal) => {
      if (!(await confirm())) return;
      other.disabled = true;
      status.textContent = IN_FLIGHT;
      try {
        const plan = { clients: Number(clients.value), limit: Number(limit.value), retry: way === "patient" };
        const ended = await runCrowd(plan, find(`result-${way}`), signal, status);
        showRefusal(find("refusal"), ended.refusal);
        status.textContent = `All finished after ${formatSeconds(ended.at)}.`;
      } finally {
        other.disabled = false;
      }
    });
  }
}

// Runs one crowd until every client has finished; returns the last event.
async function runCrowd(plan, host, signal, status) {
  const response = await ask("/crowds", { method: "POST", body: plan, signal });
  const visits = createVisits(plan.clients);
  const parts = clear(host);
  const chart = throttle(() => draw(parts.gantt, plotGantt(visits), {
    name: host.dataset.chart, summary: parts.verdict.textContent || "Each client's requests, as they happen.",
  }));
  const pauses = [];
  let ended = null;
  try {
    for await (const { data } of readEvents(response)) {
      if (data === undefined) continue;
      const event = JSON.parse(data);
      applyEvent(visits, event);
      chart.schedule();
      if (event.limit < plan.limit) status.textContent = `${IN_FLIGHT} The server can give them only ${event.limit} of its slots.`;
      if (event.event === "backing_off") pauses.push(event);
      if (event.event === "ended") ended = event;
    }
    if (ended === null) throw new Error("The server ended before all requests had finished.");
    await show(parts, host, plan, ended, pauses);
  } finally {
    await chart.finish();
  }
  return ended;
}

// Empties a column; returns its parts.
function clear(host) {
  const parts = Object.fromEntries(["verdict", "gantt", "times", "numbers"].map((name) => [name, host.querySelector(`.${name}`)]));
  for (const part of [parts.verdict, parts.times, parts.numbers]) part.replaceChildren();
  host.hidden = false;
  return parts;
}

// Calls `paint` at most every REDRAW_MS and never twice at once; `finish` calls it for the last time.
function throttle(paint) {
  let timer = null;
  let painting = null;
  const begin = () => { painting = paint().catch(() => {}).finally(() => { timer = painting = null; }); };
  return {
    schedule() { timer ??= setTimeout(begin, REDRAW_MS); },
    async finish() { clearTimeout(timer); await painting; await paint(); },
  };
}

async function show(parts, host, plan, ended, pauses) {
  parts.verdict.textContent = describeResult(plan, ended, pauses);
  fillTable(parts.numbers, `${host.querySelector("h4").textContent}: client by client`, COLUMNS, ended.clients.map(writeRow));
  await draw(parts.times, plotTimes(ended.clients), { name: `${host.dataset.chart}-times`, summary: describeTimes(ended.clients) });
}

function writeRow({ client, attempts, timings, waited, end }) {
  return [
    client, attempts.length, formatStatuses(attempts), formatSeconds(toSeconds(timings?.queue_time)),
    formatSeconds(toSeconds(timings?.time_to_first_token)), formatSeconds(waited), formatSeconds(end),
  ];
}

// "429 × 3, 200"
function formatStatuses(attempts) {
  const counts = new Map();
  for (const { status } of attempts) counts.set(status ?? MISSING, (counts.get(status ?? MISSING) ?? 0) + 1);
  return [...counts].map(([status, count]) => (count > 1 ? `${status} × ${count}` : status)).join(", ");
}

function describeResult(plan, { clients, in_time: inTime }, pauses) {
  const count = (outcome) => clients.filter((visit) => visit.outcome === outcome).length;
  const [served, refused, failed, late] = ["served", "gave_up", "failed", "unfinished"].map(count);
  const summary = plan.retry ? describeRetries(clients, served, refused) : describeFirstAttempts(clients, served, refused);
  const error = clients.find((visit) => visit.error)?.error;
  const cut = !inTime && `${late} were cut off: the limit is two minutes.`;
  return [summary, describePauses(pauses), failed && `${failed} failed: ${error}`, cut].filter(Boolean).join(" ");
}

function describeFirstAttempts(clients, served, refused) {
  if (!refused) return `${served} of ${clients.length} were served at once, and none was refused.`;
  const firsts = clients.map((visit) => visit.attempts[0]).filter((first) => first?.status === 429);
  const waits = formatRange(firsts.map((first) => first.answered - first.asked));
  return `${served} of ${clients.length} were served at once, ${refused} got 429 overloaded after ${waits}.`;
}

function describeRetries(clients, served, refused) {
  const count = served === clients.length ? `all ${served}` : `${served} of ${clients.length}`;
  const gave = refused ? `, ${refused} gave up after ${Math.max(...clients.map((visit) => visit.attempts.length))} attempts` : "";
  const firsts = clients.map((visit) => visit.first_token).filter((at) => at !== null);
  const last = firsts.length ? `; the last first token came after ${formatSeconds(Math.max(...firsts))}` : "";
  return `With retries ${count} were served${gave}${last}.`;
}

// The Retry-After headers, and how long the clients waited.
function describePauses(pauses) {
  if (!pauses.length) return null;
  const seconds = pauses.map((each) => each.retry_after);
  const different = new Set(seconds);
  const asked = different.size > 2 ? formatRange(seconds) : [...different].join(" or ");
  const waited = formatRange(pauses.map((each) => each.pause));
  return `Each of the ${pauses.length} refusals said Retry-After: ${asked}; the clients waited ${waited} before they retried.`;
}

function describeTimes(clients) {
  const most = (values) => formatSeconds(values.length ? Math.max(...values) : null);
  const timings = clients.map((visit) => visit.timings).filter(Boolean);
  const queue = most(timings.map((each) => toSeconds(each.queue_time)));
  const ttft = most(timings.map((each) => toSeconds(each.time_to_first_token)).filter((value) => value !== null));
  const waited = most(clients.map((visit) => visit.waited).filter((value) => value !== null));
  return `Longest in the engine's queue: ${queue}; longest TTFT by the engine's clock: ${ttft}; longest wait since the first click: ${waited}.`;
}

function showRefusal(host, refusal) {
  if (!refusal) return;
  host.hidden = false;
  host.querySelector("pre").replaceChildren(element("strong", {}, refusal.head.split("\n")[0]), `\n${refusal.head.split("\n").slice(1).join("\n")}\n\n${refusal.body}`);
}
