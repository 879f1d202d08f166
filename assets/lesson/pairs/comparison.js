// Paired comparison of streamed and whole: the order of requests, the paired difference, and both as sentences, as in
// demo/bench/pairs.py. A pair is {streamed, whole, first}: two samples, and which was requested first.

import { formatSeconds } from "../shared/format.js";
import { shuffle } from "../shared/shuffle.js";
import { describeSample, estimateMean, scale } from "./interval.js";

const PACE = 100; // tokens/s: the documentation's example
const MIN_RATE = 125; // tokens/s: a slower model is not slowed to PACE
const MIN_SHARE = 0.8; // of a pace: a slower sample did not keep it
const MAX_NOISE = 5; // % of standard deviation: 24 pairs then leave an error of some 3 % in the mean difference

// For each pair its modes in order, shuffled: each goes first equally often, so that the order favours neither.
export function orderPairs(count) {
  const extra = Math.random() < 0.5 ? 1 : 0;
  return shuffle(Array.from({ length: count }, (_, at) => ((at + extra) % 2 ? ["whole", "streamed"] : ["streamed", "whole"])));
}

// The default speed where the model makes `rate` tokens/s; null is real speed.
export const choosePace = (rate) => (rate !== null && rate >= MIN_RATE ? PACE : null);

// The speed at which a sample was made: "At 100 tokens/s", or real speed where the model could not keep the pace.
export function describeSpeed(pace, { tokens, total }) {
  if (pace === null) return "At real speed";
  return tokens / total < MIN_SHARE * pace ? `At real speed, slower here than ${pace} tokens/s` : `At ${pace} tokens/s`;
}

// How much longer the streamed request took, in seconds.
export const difference = (pair) => pair.streamed.total - pair.whole.total;

// The mean difference of at least two pairs, in seconds and in % of the whole's mean, which counts as exact.
export function comparePairs(pairs) {
  const seconds = estimateMean(pairs.map(difference));
  const [streamed, whole] = ["streamed", "whole"].map((mode) => describeSample(pairs.map((pair) => pair[mode].total)).mean);
  return { seconds, percent: scale(seconds, 100 / whole), streamed, whole };
}

export function describeComparison({ percent }) {
  if (percent.low <= 0 && percent.high >= 0) {
    const bound = Math.ceil(10 * Math.max(-percent.low, percent.high)) / 10; // a bound is rounded up
    return `No difference seen beyond ±${bound.toFixed(1)} %.`;
  }
  const [low, high] = [Math.abs(percent.low), Math.abs(percent.high)].sort((one, two) => one - two);
  const word = percent.mean > 0 ? "slower" : "faster";
  const digits = Math.max(1, Math.ceil(-Math.log10(low))); // one significant digit of the least number, and as many places of all
  const [mean, least, most] = [Math.abs(percent.mean), low, high].map((value) => value.toFixed(digits));
  return `Streaming was ${mean} % ${word} (95 % interval ${least} to ${most} %).`;
}

// The same sentence, with the speed at its start.
export function describeVerdict(comparison, speed) {
  const sentence = describeComparison(comparison);
  return `${speed}: ${sentence[0].toLowerCase()}${sentence.slice(1)}`;
}

// The standard deviation of the whole requests' totals, in % of their mean: the machine's noise, not the delivery's.
function measureNoise(pairs) {
  const { mean, variance } = describeSample(pairs.map((pair) => pair.whole.total));
  return (100 / mean) * Math.sqrt(variance);
}

// A warning, from at least two pairs; empty on a quiet machine.
export function describeNoise(pairs) {
  const noise = measureNoise(pairs);
  if (noise <= MAX_NOISE) return "";
  const [least, most] = [Math.min, Math.max].map((pick) => formatSeconds(pick(...pairs.map((pair) => pair.whole.total))));
  return `The machine was busy: the same request, whole, took ${least} to ${most} (standard deviation ${noise.toFixed(0)} %). `
    + "Close other programs, tabs and the developer tools, and run more pairs.";
}

export function describeTexts(pairs) {
  const differing = pairs.filter((pair) => pair.streamed.text !== pair.whole.text).length;
  if (!differing) return `The streamed and the whole text were equal in all ${pairs.length} pairs.`;
  return `The texts differed in ${differing} of ${pairs.length} pairs: a faster different answer is not faster.`;
}
