// Felt against true waits: the plan of the rounds, and estimates from the guesses. A round that is over is
// {mode, tokens, first, total, felt, expectedFirst, expectedLast}: seconds, or null where nothing was expected.

import { describeSample, estimateMean, tQuantile } from "../pairs/interval.js";
import { shuffle } from "../shared/shuffle.js";

export const MODES = ["streamed", "whole"];
export const PACE = 30; // tokens/s
export const MIN_GUESSES = 3; // of each mode, for an estimate
const [SHORTEST, LONGEST] = [4, 10]; // seconds

// Shuffled rounds {mode, tokens}, an even number: each mode equally often and over the same range of lengths, since people
// overestimate short waits and underestimate long ones (Vierordt's law).
export function planRounds(count) {
  const each = count / 2;
  const step = (LONGEST - SHORTEST) / each;
  const draw = (at) => Math.round(PACE * (SHORTEST + step * (at + Math.random())));
  return shuffle(MODES.flatMap((mode) => Array.from({ length: each }, (_, at) => ({ mode, tokens: draw(at) }))));
}

// The felt wait relative to the true one.
export const ratio = ({ felt, total }) => felt / total;

const ratiosOf = (rounds, mode) => rounds.filter((round) => round.mode === mode).map(ratio);

// {n, estimate}: the mean ratio of a mode's rounds with its 95 % interval; null for too few.
export function estimateRatio(rounds, mode) {
  const ratios = ratiosOf(rounds, mode);
  return { n: ratios.length, estimate: ratios.length < MIN_GUESSES ? null : estimateMean(ratios) };
}

// The difference of two means with its 95 % interval, by Welch's t; degrees of freedom are rounded down.
export function estimateDifference(one, other) {
  const [a, b] = [one, other].map(describeSample);
  const error = a.error + b.error;
  const below = a.error ** 2 / a.freedom + b.error ** 2 / b.freedom;
  const freedom = below ? Math.floor(error ** 2 / below) : a.freedom + b.freedom;
  const [mean, margin] = [a.mean - b.mean, tQuantile(freedom) * Math.sqrt(error)];
  return { mean, low: mean - margin, high: mean + margin };
}

// The guesses in a sentence or two; empty while there are too few of either mode.
export function describeGuesses(rounds) {
  const [streamed, whole] = MODES.map((mode) => estimateRatio(rounds, mode).estimate);
  if (!streamed || !whole) return "";
  const means = `On average a streamed answer felt ${format(streamed.mean)} times as long as it was, a whole one ${format(whole.mean)} times.`;
  const { mean, low, high } = estimateDifference(ratiosOf(rounds, "whole"), ratiosOf(rounds, "streamed"));
  if (low <= 0 && high >= 0) return `${means} That may be chance: these guesses don't tell the two apart.`;
  const [least, most] = [low, high].map(Math.abs).sort((one, two) => one - two);
  const word = mean > 0 ? "shorter" : "longer";
  return `${means} So streaming felt ${word}, by ${format(Math.abs(mean))} of the true wait (95 % interval ${format(least)} to ${format(most)}).`;
}

const format = (value) => value.toFixed(2);
