// The results of the tab's races, joined from what each run's files hold. Every number and sentence is from these files.

import recordings from "./recordings.js";

const SIDES = ["streamed", "whole"];

// What a race that has ended leads to: {results, until, counts}, and its trace.
export function describeRace({ play, stopped }, recording) {
  const [streamed, whole] = SIDES.map((side) => stopped[side]);
  const until = Math.max(streamed?.at ?? play.end, whole?.at ?? play.end);
  const counts = { streamed: streamed?.count ?? null, whole: whole ? 0 : null }; // null: all
  return { play, results: chooseResults(play, streamed, whole), until, counts, trace: cutTrace(recording, play, streamed, whole) };
}

// Where both sides were stopped, the streamed one's stop says what it read, and the later one when the work ended.
function chooseResults(play, streamed, whole) {
  if (streamed && whole) {
    const later = streamed.at > whole.at || streamed.count === 0 ? streamed : whole;
    const { results: { both: read } } = streamed;
    const { results: { both: waited } } = whole;
    return {
      ...later.results.both, saved: read.saved,
      rows: { streamed: read.rows.streamed, whole: waited.rows.whole }, notes: { streamed: read.notes.streamed, whole: waited.notes.whole },
    };
  }
  return streamed?.results.streamed ?? whole?.results.whole ?? play.results;
}

// The run as it was played; null where it was stopped before it began.
function cutTrace(recording, play, streamed, whole) {
  const { times, ...changed } = play.trace;
  const tokens = times.map((time, at) => [time, ...recording.tokens[at].slice(1)]);
  const trace = { ...recording, ...changed, tokens };
  if (!streamed || !whole) return trace;
  const { at, count } = streamed.at > whole.at ? streamed : whole;
  return at < recording.started ? null : { ...trace, tokens: tokens.slice(0, count), end: at, finish_reason: "cancelled" };
}

// --- figures ---

export function drawTimeline({ play, results, until, counts }) {
  const { data: [whole, streamed], layout } = play.timeline;
  const data = [cutSteps(whole, counts.whole, until), cutSteps(streamed, counts.streamed, until)];
  return { figure: { data, layout: { ...layout, ...results.marks } }, summary: results.summary };
}

// A staircase of all tokens, up to `count` of them; it ends when the race did.
function cutSteps(trace, count, until) {
  const kept = count ?? trace.x.length - 2;
  return { ...trace, x: [...trace.x.slice(0, kept + 1), until], y: [...trace.y.slice(0, kept + 1), kept] };
}

// Every run's points, in the frame of the longest.
export function drawLatency(runs) {
  const longest = runs.reduce((one, other) => (other.results.ranges.xaxis[1] > one.results.ranges.xaxis[1] ? other : one));
  const { data: [diagonal, ...points], layout } = longest.play.latency;
  const { xaxis, yaxis } = longest.results.ranges;
  const join = (trace, at) => {
    const found = runs.filter(({ counts }) => counts[SIDES[at]] === null).map((run) => run.play.latency.data[at + 1]);
    return { ...trace, x: found.flatMap(({ x }) => x), y: found.flatMap(({ y }) => y) };
  };
  const figure = {
    data: [{ ...diagonal, x: xaxis, y: xaxis }, ...points.map(join)],
    layout: { ...layout, xaxis: { ...layout.xaxis, range: xaxis }, yaxis: { ...layout.yaxis, range: yaxis } },
  };
  return { figure, summary: recordings.latency.replace("{number}", runs.length) };
}

// --- tables ---

export function listRuns(runs) {
  const rows = [...runs].reverse().flatMap(({ number, results }) => SIDES.map((side) => {
    const [name, ...cells] = results.rows[side];
    return [name.replace("{number}", number), ...cells];
  }));
  return { ...recordings.table, rows };
}

// Each tool's definitions, with the numbers of this run.
export function listDefinitions({ number, results: { definitions } }) {
  return { ...definitions, caption: definitions.caption.replace("{number}", number) };
}

// What stopping saved, at a price; the file's is `recordings.price`. Rounded as the server rounds it.
export function priceSaving({ results: { saved } }, price) {
  const convert = (cell) =>
    cell.replace(/\$([\d.]+)$/, (_, dollars) => {
      const tokens = Math.round((dollars * 1e6) / recordings.price);
      return `$${((tokens * price) / 1e6).toFixed(dollars.split(".")[1].length)}`;
    });
  return { ...saved, rows: saved.rows.map((row) => row.map(convert)) };
}
