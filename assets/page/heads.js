// The heads of both panes: clocks that run from Generate on, the moment of the first text, the total, and the sentence
// that compares them. Every moment is of this browser's clock, in milliseconds; none meets the engine's.
"use strict";

export const SIDES = ["streamed", "whole"];
const NOTHING_YET = "0.00 s";
const UNKNOWN = "–";
const TICK = 100; // ms between two ticks, at least; they come with the text where that grows, for a frame of their own costs
const REST = 250; // ms until they come without it
const SAME = 100; // ms within which two ends are told to be the same, and 2 % of a long run

const UNMARKED = { asked: null, arrived: null, painted: null, ended: null };
const clocks = Object.fromEntries(SIDES.map((side) => [side, { started: null, running: false, refused: null, state: "idle" }]));
const marks = Object.fromEntries(SIDES.map((side) => [side, { ...UNMARKED }]));
let ticking = null;
let ticked = 0;

const find = (id) => document.getElementById(id);
export const write = (node, text) => { if (node && node.textContent !== text) node.textContent = text; };
export const seconds = (ms) => `${(ms / 1000).toFixed(ms < 995 ? 2 : 1)} s`;
export const anyRunning = () => SIDES.some((side) => clocks[side].running);
export const marksOf = (side) => marks[side];

export function tick() {
  const now = performance.now();
  if (now - ticked < TICK && ticking !== null) return;
  ticked = now;
  for (const side of SIDES) {
    if (!clocks[side].running) continue;
    const elapsed = `${((now - clocks[side].started) / 1000).toFixed(1)} s`;
    write(find(`${side}-clock`), elapsed);
    if (marks[side].painted === null) write(find(`${side}-first`), elapsed);
  }
  clearTimeout(ticking);
  ticking = anyRunning() && !document.hidden ? setTimeout(tick, clocks.streamed.state === "writing" ? REST : TICK) : null;
}

// On a click, before the server has answered; should it refuse, what stood there is shown again.
export function ask() {
  for (const side of SIDES) {
    const clock = clocks[side];
    clock.refused = { first: find(`${side}-first`)?.textContent, clock: find(`${side}-clock`)?.textContent, marks: marks[side] };
    marks[side] = { ...UNMARKED };
    clock.started = performance.now();
    clock.running = true;
  }
  tick();
}

export function refuse() {
  for (const side of SIDES) {
    const { refused } = clocks[side];
    if (refused === null) continue;
    Object.assign(clocks[side], { running: false, started: null, refused: null });
    marks[side] = refused.marks;
    write(find(`${side}-first`), refused.first);
    write(find(`${side}-clock`), refused.clock);
  }
}

// The connection is gone: clocks that run stop where they are, and go on should it come back.
let paused = [];

export function pause() {
  paused = SIDES.filter((side) => clocks[side].running);
  for (const side of paused) clocks[side].running = false;
  document.getElementById("result").textContent = "";
}

export function resume() {
  for (const side of paused) clocks[side].running = true;
  tick();
}

// A side's state has changed.
export function follow(side, { state, active }) {
  const clock = clocks[side];
  clock.state = state;
  if (active) begin(side);
  else if (clock.running) end(side);
  if (state === "idle") clear(side);
  say();
}

function begin(side) {
  const clock = clocks[side];
  clock.started ??= performance.now();
  clock.refused = null;
  if (marks[side].asked !== clock.started) marks[side] = { ...UNMARKED, asked: clock.started };
  clock.running = true;
  tick();
}

function end(side) {
  const clock = clocks[side];
  note(side, performance.now());
  Object.assign(clock, { running: false, started: null });
  if (marks[side].painted === null) write(find(`${side}-first`), UNKNOWN);
}

function note(side, ended) {
  marks[side].ended = ended;
  write(find(`${side}-clock`), seconds(ended - marks[side].asked));
}

function clear(side) {
  marks[side] = { ...UNMARKED };
  write(find(`${side}-clock`), NOTHING_YET);
  write(find(`${side}-first`), UNKNOWN);
}

// The first text of a side has come; then, that it is on the screen.
export function noteArrival(side) {
  marks[side].arrived = performance.now();
}

// Way 26: After the frame that painted the first text, the pane's largest number is set
export function notePaint(side) {
  const mark = marks[side];
  if (mark.asked === null || mark.painted !== null) return;
  mark.painted = performance.now();
  write(find(`${side}-first`), seconds(mark.painted - mark.asked));
  if (mark.ended !== null) note(side, mark.painted); // nothing is seen after the end
  say();
}

// What came of the race, in words, once both sides have ended.
function say() {
  const over = SIDES.every((side) => ["done", "stopped"].includes(clocks[side].state) && marks[side].ended !== null);
  write(find("result"), over ? compare(marks.streamed, marks.whole, clocks) : "");
}

function compare(streamed, whole, { streamed: { state: left }, whole: { state: right } }) {
  const waited = whole.ended - whole.asked;
  if (left === "stopped" && right === "done")
    return `You stopped reading after ${seconds(streamed.ended - streamed.asked)}; the whole answer came after ${seconds(waited)}.`;
  if (left === "done" && right === "stopped")
    return `Without streaming there was nothing to see for ${seconds(waited)}, until you stopped.`;
  if (streamed.painted === null || whole.painted === null || left === "stopped") return "";
  const sooner = whole.painted - streamed.painted;
  const later = streamed.ended - whole.ended;
  const first = sooner < SAME / 2 ? "at the same time" : `${seconds(sooner)} sooner`;
  const same = Math.abs(later) < Math.max(SAME, 0.02 * waited);
  const last = same ? "at the same time" : `${seconds(Math.abs(later))} ${later > 0 ? "later" : "sooner"}`;
  return `The first words came ${first}; the last ones ${last}.`;
}

// What the clocks of a run that is played again show: its own milliseconds.
export function showMoment(side, { first, total }) {
  const own = (ms) => (ms === null ? UNKNOWN : `${Math.round(ms)} ms`);
  write(find(`${side}-first`), own(first));
  write(find(`${side}-clock`), own(total));
}

// The real race's times again.
export function showTimes() {
  for (const side of SIDES) {
    const { asked, painted, ended } = marks[side];
    write(find(`${side}-first`), painted === null ? UNKNOWN : seconds(painted - asked));
    write(find(`${side}-clock`), ended === null ? NOTHING_YET : seconds(ended - asked));
  }
}

document.addEventListener("visibilitychange", tick);
