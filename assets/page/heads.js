// The heads of both panes: clocks that run from Generate on, the time to the first text, the total, and the sentence that
// compares them. Every moment is on this browser's clock, in milliseconds; none is compared with the engine's.

import { MISSING } from "../lesson/shared/format.js";
import { translateAt } from "./language.js";

export const SIDES = ["streamed", "whole"];
const START = "0.00 s";
const TICK_MS = 100; // between two updates of the clocks
const SLOW_TICK_MS = 250; // the same while text grows, which updates them too: a frame of their own costs as much as the text's
const SAME_MS = 100; // two ends this close, or within 2 % of a long run, count as the same

const UNMARKED = { asked: null, arrived: null, painted: null, ended: null };
const clocks = Object.fromEntries(SIDES.map((side) => [side, { started: null, running: false, previous: null, state: "idle" }]));
const marks = Object.fromEntries(SIDES.map((side) => [side, { ...UNMARKED }]));
let timer = null;
let updated = 0;

const find = (id) => document.getElementById(id);
// Seconds on both sides: 0.04 s and 8.5 s are compared at a glance.
const format = (ms) => `${(ms / 1000).toFixed(ms < 995 ? 2 : 1)} s`;
// The page's texts are written in English, and translated before they are painted.
export const write = (node, text) => { if (node && node.textContent !== translateAt(node, text)) node.textContent = text; };
export const anyRunning = () => SIDES.some((side) => clocks[side].running);
export const marksOf = (side) => marks[side];

export function updateClocks() {
  const now = performance.now();
  if (now - updated < TICK_MS && timer !== null) return;
  updated = now;
  for (const side of SIDES.filter((each) => clocks[each].running)) {
    const elapsed = `${((now - clocks[side].started) / 1000).toFixed(1)} s`;
    write(find(`${side}-clock`), elapsed);
    if (marks[side].painted === null) write(find(`${side}-first`), elapsed);
  }
  clearTimeout(timer);
  const pause = clocks.streamed.state === "writing" ? SLOW_TICK_MS : TICK_MS;
  timer = anyRunning() && !document.hidden ? setTimeout(updateClocks, pause) : null;
}

// On a click, before the server has answered.
export function startClocks() {
  for (const side of SIDES) {
    const previous = { first: find(`${side}-first`)?.textContent, clock: find(`${side}-clock`)?.textContent, marks: marks[side] };
    marks[side] = { ...UNMARKED };
    Object.assign(clocks[side], { previous, started: performance.now(), running: true });
  }
  updateClocks();
}

// The server has refused the request: the times before it are shown again.
export function restoreClocks() {
  for (const side of SIDES) {
    const { previous } = clocks[side];
    if (previous === null) continue;
    Object.assign(clocks[side], { running: false, started: null, previous: null });
    marks[side] = previous.marks;
    write(find(`${side}-first`), previous.first);
    write(find(`${side}-clock`), previous.clock);
  }
}

let paused = []; // sides whose clocks stand while the connection is lost

export function pauseClocks() {
  paused = SIDES.filter((side) => clocks[side].running);
  for (const side of paused) clocks[side].running = false;
  find("result").textContent = "";
}

export function resumeClocks() {
  for (const side of paused) clocks[side].running = true;
  updateClocks();
}

export function setState(side, { state, active }) {
  const clock = clocks[side];
  clock.state = state;
  if (active) start(side);
  else if (clock.running) stop(side);
  if (state === "idle") reset(side);
  showResult();
}

function start(side) {
  const clock = clocks[side];
  clock.started ??= performance.now();
  clock.previous = null;
  if (marks[side].asked !== clock.started) marks[side] = { ...UNMARKED, asked: clock.started };
  clock.running = true;
  updateClocks();
}

function stop(side) {
  markEnd(side, performance.now());
  Object.assign(clocks[side], { running: false, started: null });
  if (marks[side].painted === null) write(find(`${side}-first`), MISSING);
}

function markEnd(side, ended) {
  marks[side].ended = ended;
  write(find(`${side}-clock`), format(ended - marks[side].asked));
}

function reset(side) {
  marks[side] = { ...UNMARKED };
  write(find(`${side}-clock`), START);
  write(find(`${side}-first`), MISSING);
}

export function markArrival(side) {
  marks[side].arrived = performance.now();
}

// Way 27: After the frame that painted the first text, the pane's largest number is set
export function markPaint(side) {
  const mark = marks[side];
  if (mark.asked === null || mark.painted !== null) return;
  mark.painted = performance.now();
  write(find(`${side}-first`), format(mark.painted - mark.asked));
  if (mark.ended !== null) markEnd(side, mark.painted); // the text was painted after the end had arrived
  showResult();
}

// The sentence that compares the sides, once both have ended.
function showResult() {
  const over = SIDES.every((side) => ["done", "stopped"].includes(clocks[side].state) && marks[side].ended !== null);
  write(find("result"), over ? compare(marks.streamed, marks.whole) : "");
}

function compare(streamed, whole) {
  const waited = whole.ended - whole.asked;
  const [stopped, stoppedWhole] = SIDES.map((side) => clocks[side].state === "stopped");
  if (stopped && !stoppedWhole)
    return `You stopped reading after ${format(streamed.ended - streamed.asked)}; the whole answer came after ${format(waited)}.`;
  if (!stopped && stoppedWhole) return `Without streaming there was nothing to see for ${format(waited)}, until you stopped.`;
  if (streamed.painted === null || whole.painted === null || stopped) return "";
  const sooner = whole.painted - streamed.painted;
  const later = streamed.ended - whole.ended;
  const first = sooner < SAME_MS / 2 ? "at the same time" : `${format(sooner)} sooner`;
  const same = Math.abs(later) < Math.max(SAME_MS, 0.02 * waited);
  const last = same ? "at the same time" : `${format(Math.abs(later))} ${later > 0 ? "later" : "sooner"}`;
  return `The first words came ${first}; the last ones ${last}.`;
}

// The clocks of slow motion: milliseconds of the run itself.
export function showReplayTimes(side, { first, total }) {
  write(find(`${side}-first`), `${Math.round(first)} ms`);
  write(find(`${side}-clock`), `${Math.round(total)} ms`);
}

// The times of the race itself.
export function showTimes() {
  for (const side of SIDES) {
    const { asked, painted, ended } = marks[side];
    write(find(`${side}-first`), painted === null ? MISSING : format(painted - asked));
    write(find(`${side}-clock`), ended === null ? START : format(ended - asked));
  }
}

document.addEventListener("visibilitychange", updateClocks);
