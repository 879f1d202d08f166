// Many clients ask at once, over the server's limit: which are served, which are refused, and what retrying changes.
// All times are the server's: seconds since the crowd began.
"use strict";

import { draw } from "../shared/charts.js";
import { beginVisits, drawGantt, drawTimes, follow } from "./crowd.js";
import { NOTHING, element, fillTable, saySeconds, tieDial, tieRun } from "../shared/dom.js";
import { ask, readEvents } from "../shared/stream.js";

const WORDS = { 5: "Five", 10: "Ten", 15: "Fifteen", 20: "Twenty", 25: "Twenty-five", 30: "Thirty", 35: "Thirty-five", 40: "Forty" };
const COLUMNS = ["client", "attempts", "status", "queue (engine)", "TTFT (engine)", "waited (client)", "end"];
const REDRAW_MS = 400;
const IN_FLIGHT = "Requests in flight …";

export function mount(root) {
  const find = (name) => root.querySelector(`#enough-${name}`);
  const [clients, limit, status, stop] = ["clients", "limit", "status", "stop"].map(find);
  const begins = { once: find("once"), patient: find("patient") };
  tieDial(clients, find("clients-said"));
  tieDial(limit, find("limit-said"));
  const name = () => { begins.once.textContent = `${WORDS[clients.value]} people click at once`; };
  clients.addEventListener("input", name);
  name();
  for (const [way, begin] of Object.entries(begins)) {
    const other = begins[way === "once" ? "patient" : "once"];
    tieRun({ begin, stop, status }, async (signal) => {
      other.disabled = true;
      status.textContent = IN_FLIGHT;
      try {
        const plan = { clients: Number(clients.value), limit: Number(limit.value), retry: way === "patient" };
        const ended = await gather(plan, find(`result-${way}`), signal, status);
        showRefusal(find("refusal"), ended.refusal);
        status.textContent = `All finished after ${saySeconds(ended.at)}.`;
      } finally {
        other.disabled = false;
      }
    });
  }
}

// One crowd, from its first request until all have finished; returns the last event.
async function gather(plan, host, signal, status) {
  const response = await ask("/crowds", { method: "POST", body: plan, signal });
  const visits = beginVisits(plan.clients);
  const parts = open(host);
  const chart = redrawSometimes(() => draw(parts.gantt, drawGantt(visits), {
    name: host.dataset.chart, summary: parts.verdict.textContent || "Each client's requests, as they happen.",
  }));
  const pauses = [];
  let ended = null;
  try {
    for await (const { data } of readEvents(response)) {
      if (data === undefined) continue;
      const event = JSON.parse(data);
      follow(visits, event);
      chart.later();
      if (event.limit < plan.limit) status.textContent = `${IN_FLIGHT} The server can give them only ${event.limit} of its slots.`;
      if (event.event === "backing_off") pauses.push(event);
      if (event.event === "ended") ended = event;
    }
    if (ended === null) throw new Error("The server ended before all requests had finished.");
    await show(parts, host, plan, ended, pauses);
  } finally {
    await chart.rest();
  }
  return ended;
}

// The parts of a column, emptied.
function open(host) {
  const parts = Object.fromEntries(["verdict", "gantt", "times", "numbers"].map((name) => [name, host.querySelector(`.${name}`)]));
  for (const part of [parts.verdict, parts.times, parts.numbers]) part.replaceChildren();
  host.hidden = false;
  return parts;
}

// Paints now and then, never twice at once; `rest` paints for the last time.
function redrawSometimes(paint) {
  let timer = null;
  let painting = null;
  const begin = () => { painting = paint().catch(() => {}).finally(() => { timer = painting = null; }); };
  return {
    later() { timer ??= setTimeout(begin, REDRAW_MS); },
    async rest() { clearTimeout(timer); await painting; await paint(); },
  };
}

async function show(parts, host, plan, ended, pauses) {
  parts.verdict.textContent = say(plan, ended, pauses);
  fillTable(parts.numbers, `${host.querySelector("h4").textContent}: client by client`, COLUMNS, ended.clients.map(writeRow));
  await draw(parts.times, drawTimes(ended.clients), { name: `${host.dataset.chart}-times`, summary: sayTimes(ended.clients) });
}

const milliseconds = (value) => (value == null ? null : value / 1000);

function writeRow({ client, attempts, timings, waited, end }) {
  return [
    client, attempts.length, sayStatuses(attempts), saySeconds(milliseconds(timings?.queue_time)),
    saySeconds(milliseconds(timings?.time_to_first_token)), saySeconds(waited), saySeconds(end),
  ];
}

// "429 × 3, 200"
function sayStatuses(attempts) {
  const counts = new Map();
  for (const { status } of attempts) counts.set(status ?? NOTHING, (counts.get(status ?? NOTHING) ?? 0) + 1);
  return [...counts].map(([status, count]) => (count > 1 ? `${status} × ${count}` : status)).join(", ");
}

// What came of it, in a sentence or two.
function say(plan, { clients, in_time: inTime }, pauses) {
  const count = (outcome) => clients.filter((visit) => visit.outcome === outcome).length;
  const [served, refused, failed, late] = ["served", "gave_up", "failed", "unfinished"].map(count);
  const said = plan.retry ? sayPatient(clients, served, refused) : sayOnce(clients, served, refused);
  const error = clients.find((visit) => visit.error)?.error;
  const cut = !inTime && `${late} were cut off: the limit is two minutes.`;
  return [said, sayPauses(pauses), failed && `${failed} failed: ${error}`, cut]
    .filter(Boolean).join(" ");
}

function sayOnce(clients, served, refused) {
  if (!refused) return `${served} of ${clients.length} were served at once, and none was refused.`;
  return `${served} of ${clients.length} were served at once, ${refused} got 429 overloaded ${sayRange(listRefusals(clients))}.`;
}

function sayPatient(clients, served, refused) {
  const who = served === clients.length ? `all ${served}` : `${served} of ${clients.length}`;
  const gave = refused ? `, ${refused} gave up after ${Math.max(...clients.map((visit) => visit.attempts.length))} attempts` : "";
  const firsts = clients.map((visit) => visit.first_token).filter((at) => at !== null);
  const last = firsts.length ? `; the last first token came after ${saySeconds(Math.max(...firsts))}` : "";
  return `With retries ${who} were served${gave}${last}.`;
}

// What Retry-After said, and how long the clients then waited.
function sayPauses(pauses) {
  if (!pauses.length) return null;
  const asked = [...new Set(pauses.map((each) => each.retry_after))].join(" or ");
  const waited = sayRange(pauses.map((each) => each.pause)).replace("after ", "");
  return `Each of the ${pauses.length} refusals said Retry-After: ${asked}; the clients waited ${waited} before they retried.`;
}

// How long each refusal of a first attempt took to come, in seconds.
function listRefusals(clients) {
  return clients.map((visit) => visit.attempts[0]).filter((first) => first?.status === 429).map((first) => first.answered - first.asked);
}

// "after 1 to 9 ms"
function sayRange(seconds) {
  const [least, most] = [saySeconds(Math.min(...seconds)), saySeconds(Math.max(...seconds))];
  if (least === most) return `after ${least}`;
  return `after ${least.split(" ")[1] === most.split(" ")[1] ? least.split(" ")[0] : least} to ${most}`;
}

function sayTimes(clients) {
  const most = (values) => saySeconds(values.length ? Math.max(...values) : null);
  const told = clients.map((visit) => visit.timings).filter(Boolean);
  const queue = most(told.map((timings) => milliseconds(timings.queue_time)));
  const ttft = most(told.map((timings) => milliseconds(timings.time_to_first_token)).filter((value) => value !== null));
  const waited = most(clients.map((visit) => visit.waited).filter((value) => value !== null));
  return `Longest in the engine's queue: ${queue}; longest TTFT by the engine's clock: ${ttft}; longest wait since the first click: ${waited}.`;
}

function showRefusal(host, refusal) {
  if (!refusal) return;
  host.hidden = false;
  host.querySelector("pre").replaceChildren(element("strong", {}, refusal.head.split("\n")[0]), `\n${refusal.head.split("\n").slice(1).join("\n")}\n\n${refusal.body}`);
}
