// Streamed against whole, in pairs: their order, what streaming cost, and that in words. Pure; demo/bench/pairs.py in the
// browser. A pair is {streamed, whole, first}: two samples, and which was asked for first.
"use strict";

import { saySeconds } from "../shared/dom.js";
import { shuffle } from "../shared/shuffle.js";
import { estimateMean, scale } from "./interval.js";

const PACE = 100; // tokens/s: the documentation's example
const FAST = 125; // tokens/s: a model that is no faster has no time to spare at PACE
const SLOWER = 0.8; // of a pace: less is not that pace, reading the prompt aside
const LOUD = 5; // % by which the wholes scatter: 24 pairs then leave the mean difference some 3 % off

// For each pair which mode goes first: each as often as the other, shuffled, so that the order can't favour one.
export function orderPairs(count) {
  const extra = Math.random() < 0.5 ? 1 : 0;
  return shuffle(Array.from({ length: count }, (_, at) => ((at + extra) % 2 ? ["whole", "streamed"] : ["streamed", "whole"])));
}

// The speed when nobody has chosen, where the model makes `rate` tokens a second: null is real speed.
export const choosePace = (rate) => (rate !== null && rate >= FAST ? PACE : null);

// "At 100 tokens/s": the speed at which `sample` was made; real speed where the model could not keep the pace asked for.
export function saySpeed(pace, { tokens, total }) {
  if (pace === null) return "At real speed";
  return tokens / total < SLOWER * pace ? `At real speed, slower here than ${pace} tokens/s` : `At ${pace} tokens/s`;
}

// How much longer the streamed one took, in seconds.
export const difference = (pair) => pair.streamed.total - pair.whole.total;

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

// What streaming cost, from at least two pairs: in seconds, and in % of the whole's mean, which is taken as exact.
export function comparePairs(pairs) {
  const seconds = estimateMean(pairs.map(difference));
  const [streamed, whole] = ["streamed", "whole"].map((mode) => mean(pairs.map((pair) => pair[mode].total)));
  return { seconds, percent: scale(seconds, 100 / whole), streamed, whole };
}

export function sayComparison({ percent }) {
  if (percent.low <= 0 && percent.high >= 0) {
    const bound = Math.ceil(10 * Math.max(-percent.low, percent.high)) / 10; // a bound is rounded up
    return `No difference seen beyond ±${bound.toFixed(1)} %.`;
  }
  const [low, high] = [Math.abs(percent.low), Math.abs(percent.high)].sort((one, two) => one - two);
  const word = percent.mean > 0 ? "slower" : "faster";
  return `Streaming was ${round(Math.abs(percent.mean))} % ${word} (95 % interval ${round(low)} to ${round(high)} %).`;
}

// The same, which begins with the speed.
export function sayVerdict(comparison, speed) {
  const sentence = sayComparison(comparison);
  return `${speed}: ${sentence[0].toLowerCase()}${sentence.slice(1)}`;
}

// How far the same whole request's totals scatter: their standard deviation, in % of their mean. What scatters here is not
// the delivery: it is the machine.
export function measureNoise(pairs) {
  const totals = pairs.map((pair) => pair.whole.total);
  const middle = mean(totals);
  return (100 / middle) * Math.sqrt(totals.reduce((sum, total) => sum + (total - middle) ** 2, 0) / (totals.length - 1));
}

// A warning, from at least two pairs; empty where the machine was quiet.
export function sayNoise(pairs) {
  const noise = measureNoise(pairs);
  if (noise <= LOUD) return "";
  const [least, most] = [Math.min, Math.max].map((pick) => saySeconds(pick(...pairs.map((pair) => pair.whole.total))));
  return `The machine was busy: the same request, whole, took ${least} to ${most} (standard deviation ${noise.toFixed(0)} %). `
    + "Close other programs, tabs and the developer tools, and run more pairs.";
}

export function sayTexts(pairs) {
  const differing = pairs.filter((pair) => pair.streamed.text !== pair.whole.text).length;
  if (!differing) return `The streamed and the whole text were equal in all ${pairs.length} pairs.`;
  return `The texts differed in ${differing} of ${pairs.length} pairs: a faster different answer is not faster.`;
}

const round = (percent) => (percent >= 0.1 ? percent.toFixed(1) : String(Number(percent.toPrecision(2))));
