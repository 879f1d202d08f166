// Slow motion: replays the last race in both panes, from its recording. The clocks show the run's own milliseconds.

import { SIDES, anyRunning, showReplayTimes, showTimes, write } from "./heads.js";
import { paneOf } from "./panes.js";

const SHORT = 1.5; // seconds: a race up to this long is played ten times slower, a longer one five times
const TICK_MS = 50;

let stopPlaying = null; // a function while a replay plays

export const isPlaying = () => stopPlaying !== null;

// The button is shown after a race at real speed that was not stopped.
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
    const elapsed = (performance.now() - started) / stretch;
    if (elapsed >= 1000 * trace.end) return stop();
    showReplayTimes("streamed", { first: Math.min(elapsed, first), total: elapsed });
    showReplayTimes("whole", { first: elapsed, total: elapsed });
  }, TICK_MS);

  function stop({ replaced = false } = {}) {
    clearInterval(ticking);
    stopPlaying = null;
    document.body.toggleAttribute("data-replaying", false);
    if (replaced) return;
    for (const side of SIDES) paneOf(side).painter.finish(text);
    labels.forEach((label, at) => write(label, before[at]));
    showTimes();
    offer(button, { trace });
  }
  stopPlaying = stop;
}

export function stop(options) {
  stopPlaying?.(options);
}
