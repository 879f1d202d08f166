// What the guesses come to: a sentence, the means with their intervals, a chart, and every round.
"use strict";

import { NEUTRAL, accent, draw, frame } from "../shared/charts.js";
import { NOTHING, fillTable, saySeconds } from "../shared/dom.js";
import { ENOUGH, MODES, estimateRatio, ratio, sayFelt } from "./felt.js";

const MARKS = { streamed: "circle", whole: "diamond-open" };
const sayRatio = (value) => value.toFixed(2).replace("-", "−");

// A round that is over, in words.
export function tellRound({ mode, first, total, felt, expectedFirst, expectedLast }) {
  const came = mode === "streamed"
    ? `That one was streamed: its first word came after ${saySeconds(first)}, its last after ${saySeconds(total)}.`
    : `That one came whole: its first word and its last after ${saySeconds(total)}.`;
  const expected = [["first", expectedFirst], ["last", expectedLast]].filter(([, seconds]) => seconds !== null);
  const hoped = expected.map(([word, seconds]) => `the ${word} after ${saySeconds(seconds)}`).join(" and ");
  const guess = `To you it felt like ${saySeconds(felt)}, ${sayRatio(felt / total)} times as long.`;
  return [came, guess, hoped && `You had expected ${hoped}.`].filter(Boolean).join(" ");
}

export async function showResults(find, rounds) {
  const said = sayFelt(rounds);
  find("verdict").hidden = said === "";
  find("verdict").textContent = said;
  find("results").hidden = rounds.length === 0;
  if (!rounds.length) return;
  fillTable(find("means"), `Felt against true waits, ${rounds.length === 1 ? "1 guess" : `${rounds.length} guesses`}`,
    ["shown", "guesses", "felt / true, mean", "95 % interval (Student's t)"], MODES.map((mode) => describeMode(rounds, mode)));
  fillTable(find("table"), "From asking to the paint of the text, by this browser's clock",
    ["round", "shown", "tokens", "first word: expected", "first word", "last word: expected", "last word", "felt", "felt / true"],
    rounds.map(describeRound));
  const summary = `Felt against true waits of ${rounds.length} rounds. ${said} The table below has all numbers.`;
  await draw(find("chart"), plot(rounds), { name: "perceived-latency", summary });
}

function describeMode(rounds, mode) {
  const { n, estimate } = estimateRatio(rounds, mode);
  if (!estimate) return [mode, n, NOTHING, `from ${ENOUGH} guesses on`];
  return [mode, n, sayRatio(estimate.mean), `${sayRatio(estimate.low)} to ${sayRatio(estimate.high)}`];
}

function describeRound(round, at) {
  const { mode, tokens, expectedFirst, first, expectedLast, total, felt } = round;
  return [at + 1, mode, tokens, ...[expectedFirst, first, expectedLast, total, felt].map(saySeconds), sayRatio(ratio(round))];
}

// A mark for each round, the diagonal on which a guess is right, and for each mode the mean ratio as a line in its interval.
function plot(rounds) {
  const longest = 1.08 * Math.max(...rounds.map(({ total }) => total));
  const highest = 1.08 * Math.max(...rounds.map(({ felt }) => felt), longest);
  const diagonal = {
    name: "felt as long as it was", type: "scatter", mode: "lines", x: [0, longest], y: [0, longest], hoverinfo: "skip",
    line: { color: NEUTRAL, dash: "dash", width: 1.5 },
  };
  const data = [...MODES.flatMap((mode) => drawMean(rounds, mode, longest)), diagonal, ...MODES.map((mode) => drawMarks(rounds, mode))];
  return { data, layout: frame("true wait, seconds", "felt wait, seconds", {
    height: 380, legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", traceorder: "normal" },
    xaxis: { range: [0, longest] }, yaxis: { range: [0, highest] },
  }) };
}

function drawMarks(rounds, mode) {
  const there = rounds.filter((round) => round.mode === mode);
  return {
    name: mode, type: "scatter", mode: "markers", x: there.map(({ total }) => total), y: there.map(({ felt }) => felt),
    marker: { color: accent(mode), size: 11, symbol: MARKS[mode], line: { color: accent(mode), width: 2 } },
    hovertemplate: `%{x:.2f} s felt like %{y:.2f} s<extra>${mode}</extra>`,
  };
}

function drawMean(rounds, mode, longest) {
  const { estimate } = estimateRatio(rounds, mode);
  if (!estimate) return [];
  const ray = (slope) => ({ type: "scatter", mode: "lines", x: [0, longest], y: [0, slope * longest], hoverinfo: "skip" });
  return [
    { ...ray(Math.max(estimate.low, 0)), line: { width: 0 }, showlegend: false },
    { ...ray(estimate.high), line: { width: 0 }, showlegend: false, fill: "tonexty", fillcolor: `${accent(mode)}26` },
    { ...ray(estimate.mean), name: `${mode}: mean and 95 % interval`, line: { color: accent(mode), width: 2.5 } },
  ];
}
