// Felt against true waits: which rounds there are, in which order, and what the guesses say. Pure.
// A round that is over is {mode, tokens, first, total, felt, expectedFirst, expectedLast}: seconds, or null where nothing was expected.
"use strict";

import { estimateMean, tQuantile } from "../pairs/interval.js";
import { shuffle } from "../shared/shuffle.js";

export const MODES = ["streamed", "whole"];
export const PACE = 30; // tokens/s
export const ENOUGH = 3; // guesses of each mode, before anything is said of them
const [SHORTEST, LONGEST] = [4, 10]; // seconds

// An even number of rounds, {mode, tokens}, shuffled: each mode as often as the other and over the same range of lengths, since short
// waits are guessed too long and long ones too short (Vierordt's law). No two lengths need be the same.
export function planRounds(count) {
  const each = count / 2;
  const step = (LONGEST - SHORTEST) / each;
  const draw = (at) => Math.round(PACE * (SHORTEST + step * (at + Math.random())));
  return shuffle(MODES.flatMap((mode) => Array.from({ length: each }, (_, at) => ({ mode, tokens: draw(at) }))));
}

// How many times as long as it was a wait felt.
export const ratio = ({ felt, total }) => felt / total;

const ratiosOf = (rounds, mode) => rounds.filter((round) => round.mode === mode).map(ratio);

// {n, estimate}: the mean ratio of a mode's rounds with its 95 % interval; null where there are too few.
export function estimateRatio(rounds, mode) {
  const ratios = ratiosOf(rounds, mode);
  return { n: ratios.length, estimate: ratios.length < ENOUGH ? null : estimateMean(ratios) };
}

// How much greater the mean of `one` is than that of `other`, with its 95 % interval: Welch's t, degrees of freedom rounded down.
export function estimateDifference(one, other) {
  const parts = [one, other].map((values) => {
    const { mean } = estimateMean(values);
    const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    return { mean, error: squares / (values.length - 1) / values.length, freedom: values.length - 1 };
  });
  const error = parts[0].error + parts[1].error;
  const below = parts.reduce((sum, part) => sum + part.error ** 2 / part.freedom, 0);
  const freedom = below ? Math.floor(error ** 2 / below) : parts[0].freedom + parts[1].freedom;
  const [mean, margin] = [parts[0].mean - parts[1].mean, tQuantile(freedom) * Math.sqrt(error)];
  return { mean, low: mean - margin, high: mean + margin };
}

// What the guesses say, in words; empty while there are too few of either mode.
export function sayFelt(rounds) {
  const [streamed, whole] = MODES.map((mode) => estimateRatio(rounds, mode).estimate);
  if (!streamed || !whole) return "";
  const means = `On average a streamed answer felt ${say(streamed.mean)} times as long as it was, a whole one ${say(whole.mean)} times.`;
  const { mean, low, high } = estimateDifference(ratiosOf(rounds, "whole"), ratiosOf(rounds, "streamed"));
  if (low <= 0 && high >= 0) return `${means} That may be chance: these guesses don't tell the two apart.`;
  const [least, most] = [low, high].map(Math.abs).sort((one, two) => one - two);
  const word = mean > 0 ? "shorter" : "longer";
  return `${means} So streaming felt ${word}, by ${say(Math.abs(mean))} of the true wait (95 % interval ${say(least)} to ${say(most)}).`;
}

const say = (value) => value.toFixed(2);
