// The results of the guesses: a sentence, the means with their intervals, a chart, and every round.

import { COLOURS, LEGEND_ABOVE, createLayout, draw } from "../shared/charts.js";
import { fillTable } from "../shared/dom.js";
import { MISSING, formatSeconds } from "../shared/format.js";
import { MIN_GUESSES, MODES, estimateRatio, ratio, describeGuesses } from "./estimates.js";

const MARKS = { streamed: "circle", whole: "diamond-open" };
const formatRatio = (value) => value.toFixed(2).replace("-", "−");

export function describeRound({ mode, first, total, felt, expectedFirst, expectedLast }) {
  const arrival = mode === "streamed"
    ? `That one was streamed: its first word came after ${formatSeconds(first)}, its last after ${formatSeconds(total)}.`
    : `That one came whole: its first word and its last after ${formatSeconds(total)}.`;
  const expected = [["the first", expectedFirst], ["the last", expectedLast]].filter(([, seconds]) => seconds !== null);
  const expectation = expected.map(([word, seconds]) => `${word} after ${formatSeconds(seconds)}`).join(" and ");
  const guess = `To you it felt like ${formatSeconds(felt)}, ${formatRatio(felt / total)} times as long.`;
  return [arrival, guess, expectation && `You had expected ${expectation}.`].filter(Boolean).join(" ");
}

export async function showResults(find, rounds) {
  const summary = describeGuesses(rounds);
  find("verdict").hidden = summary === "";
  find("verdict").textContent = summary;
  find("results").hidden = rounds.length === 0;
  if (!rounds.length) return;
  fillTable(find("means"), `Felt against true waits, ${rounds.length === 1 ? "1 guess" : `${rounds.length} guesses`}`,
    ["shown", "guesses", "felt / true, mean", "95 % interval (Student's t)"], MODES.map((mode) => createMeanRow(rounds, mode)));
  fillTable(find("table"), "From asking to the paint of the text, by this browser's clock",
    ["round", "shown", "tokens", "first word: expected", "first word", "last word: expected", "last word", "felt", "felt / true"],
    rounds.map(createRow));
  const alternative = `Felt against true waits of ${rounds.length} rounds. ${summary} The table below has all numbers.`;
  await draw(find("chart"), plot(rounds), { name: "perceived-latency", summary: alternative });
}

function createMeanRow(rounds, mode) {
  const { n, estimate } = estimateRatio(rounds, mode);
  if (!estimate) return [mode, n, MISSING, `from ${MIN_GUESSES} guesses on`];
  return [mode, n, formatRatio(estimate.mean), `${formatRatio(estimate.low)} to ${formatRatio(estimate.high)}`];
}

function createRow(round, at) {
  const { mode, tokens, expectedFirst, first, expectedLast, total, felt } = round;
  return [at + 1, mode, tokens, ...[expectedFirst, first, expectedLast, total, felt].map(formatSeconds), formatRatio(ratio(round))];
}

// A mark for each round, the diagonal of right guesses, and each mode's mean ratio as a line in its interval.
function plot(rounds) {
  const longest = 1.08 * Math.max(...rounds.map(({ total }) => total));
  const highest = 1.08 * Math.max(...rounds.map(({ felt }) => felt), longest);
  const diagonal = {
    name: "felt as long as it was", type: "scatter", mode: "lines", x: [0, longest], y: [0, longest], hoverinfo: "skip",
    line: { color: COLOURS.neutral, dash: "dash", width: 1.5 },
  };
  const data = [...MODES.flatMap((mode) => drawMean(rounds, mode, longest)), diagonal, ...MODES.map((mode) => drawMarks(rounds, mode))];
  return { data, layout: createLayout("true wait, seconds", "felt wait, seconds", {
    height: 380, legend: LEGEND_ABOVE,
    xaxis: { range: [0, longest] }, yaxis: { range: [0, highest] },
  }) };
}

function drawMarks(rounds, mode) {
  const there = rounds.filter((round) => round.mode === mode);
  return {
    name: mode, type: "scatter", mode: "markers", x: there.map(({ total }) => total), y: there.map(({ felt }) => felt),
    marker: { color: COLOURS[mode], size: 11, symbol: MARKS[mode], line: { color: COLOURS[mode], width: 2 } },
    hovertemplate: `%{x:.2f} s felt like %{y:.2f} s<extra>${mode}</extra>`,
  };
}

function drawMean(rounds, mode, longest) {
  const { estimate } = estimateRatio(rounds, mode);
  if (!estimate) return [];
  const ray = (slope) => ({ type: "scatter", mode: "lines", x: [0, longest], y: [0, slope * longest], hoverinfo: "skip" });
  return [
    { ...ray(Math.max(estimate.low, 0)), line: { width: 0 }, showlegend: false },
    { ...ray(estimate.high), line: { width: 0 }, showlegend: false, fill: "tonexty", fillcolor: `${COLOURS[mode]}26` },
    { ...ray(estimate.mean), name: `${mode}: mean and 95 % interval`, line: { color: COLOURS[mode], width: 2.5 } },
  ];
}
