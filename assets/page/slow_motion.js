// Slow motion: the last race again, in both panes, stretched as in sport. Its clocks show the run's own milliseconds.
// It plays what was recorded of that run; no model is asked.
"use strict";

import { SIDES, anyRunning, showMoment, showTimes, write } from "./heads.js";
import { paneOf } from "./panes.js";

const SHORT = 1.5; // seconds: a race up to this long is stretched ten times, a longer one five times
const TICK = 50; // ms

let playing = null; // how to stop what is playing

export const isPlaying = () => playing !== null;

// Shown after a race at real speed that came to its end.
export function offer(button, run) {
  const real = run && run.trace.pace === null && SIDES.every((side) => paneOf(side)?.head.dataset.state === "done");
  button.hidden = !real || anyRunning();
  button.textContent = real ? `Slow motion, ${findStretch(run.trace)}×` : "Slow motion";
}

const findStretch = (trace) => (trace.end <= SHORT ? 10 : 5);

export function play(button, { trace }) {
  const stretch = findStretch(trace);
  const started = performance.now();
  const text = trace.tokens.map(([, , text]) => text).join("");
  const schedule = trace.tokens.map(([time, , text]) => `${Math.round(1000 * time)} ${text.length};`).join("");
  const first = 1000 * (trace.tokens.find(([, , text]) => text !== "")?.[0] ?? trace.end);
  const labels = SIDES.map((side) => document.getElementById(`${side}-label`));
  const before = labels.map((label) => label.textContent);
  for (const side of SIDES) paneOf(side).clear();
  labels.forEach((label) => write(label, `slow motion: ${stretch} times slower than it was`));
  write(button, "Stop slow motion");
  document.body.toggleAttribute("data-replaying", true);
  paneOf("streamed").painter.play(text, schedule, stretch);

  const ticking = setInterval(() => {
    const moment = (performance.now() - started) / stretch;
    if (moment >= 1000 * trace.end) return stop();
    showMoment("streamed", { first: Math.min(moment, first), total: moment });
    showMoment("whole", { first: moment, total: moment });
  }, TICK);

  function stop({ replaced = false } = {}) {
    clearInterval(ticking);
    playing = null;
    document.body.toggleAttribute("data-replaying", false);
    if (replaced) return;
    for (const side of SIDES) paneOf(side).painter.finish(text);
    labels.forEach((label, at) => write(label, before[at]));
    showTimes();
    offer(button, { trace });
  }
  playing = stop;
}

export function stop(options) {
  playing?.(options);
}
