// A race of a recorded run: applies each update of its file when it is due, and what a stop leads to.

import { loadFile } from "./files.js";
import { unpack } from "./packing.js";

const SIDES = ["streamed", "whole"];

// Plays the run `name` at `pace`; `show(side, value)` shows a side's value, `end(race)` is called when both have ended.
export function createRace(name, play, { show, end }) {
  const started = performance.now();
  const values = { streamed: {}, whole: {} };
  const stopped = { streamed: null, whole: null }; // the stop of a side, once it took effect
  const over = { streamed: false, whole: false };
  let next = 0;
  let timer = null;

  const now = () => (performance.now() - started) / 1000;

  function advance() {
    clearTimeout(timer);
    while (next < play.updates.length && play.updates[next][0] <= now()) {
      const [, side, change] = play.updates[next++];
      if (!over[side]) update(side, { ...values[side], ...change });
    }
    if (next < play.updates.length && !isOver()) timer = setTimeout(advance, 1000 * (play.updates[next][0] - now()));
  }

  function update(side, value) {
    values[side] = value;
    over[side] = !value.active;
    show(side, grow(value));
    if (!isOver()) return;
    clearTimeout(timer);
    end({ name, play, values: { streamed: grow(values.streamed), whole: grow(values.whole) }, stopped });
  }

  // Text and schedule are the beginnings of the whole run's.
  const grow = (value) => ({
    ...value, text: play.texts.text.slice(0, value.text), schedule: play.texts.schedule.slice(0, value.schedule),
  });

  const isOver = () => SIDES.every((side) => over[side]);

  // A stop takes effect with the next moment for which the file of stops has what it leads to.
  async function stop(sides) {
    const asked = sides.filter((side) => !over[side]);
    const stops = await loadStops(`${name}-stops`);
    const found = stops.find(({ at }) => at >= now());
    if (!found) return; // the run ends before
    await new Promise((resolve) => setTimeout(resolve, 1000 * (found.at - now())));
    for (const side of asked) {
      if (over[side]) continue;
      stopped[side] = found;
      update(side, found[side]);
    }
  }

  setTimeout(advance);
  return { stop, get running() { return !isOver(); } };
}

// Each stop is stored as what differs from the one before.
async function loadStops(name) {
  const changes = await unpack(await loadFile(name));
  return changes.reduce((stops, change) => [...stops, merge(stops.at(-1) ?? {}, change)], []);
}

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

export function merge(before, change) {
  const merged = { ...before };
  for (const [name, value] of Object.entries(change)) merged[name] = isObject(value) && isObject(before[name]) ? merge(before[name], value) : value;
  return merged;
}
