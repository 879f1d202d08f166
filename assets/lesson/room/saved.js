// The results of a room in a link, which shows them again wherever this page is served. What a link holds is checked.

import { decode, encode } from "../shared/base64url.js";

export const FIELD = "room"; // of the fragment
const KINDS = ["race", "predict", "stop", "crowd"];
const SENTENCES = ["felt_shorter", "felt_longer", "no_difference"];
const NUMBERS = ["round", "seconds", "ttft", "tokens", "stopped", "tokens_saved", "seconds_saved", "served", "refused", "retries"];
const MAX_ROUNDS = 40;
const MAX_GUESSES = 1000;
const DIGITS = 1000; // a thousandth of a second is kept

// The fragment's value: JSON in UTF-8, as base64url.
export function writeResults(rounds) {
  const round = (key, value) => (typeof value === "number" ? Math.round(value * DIGITS) / DIGITS : value);
  return encode(new TextEncoder().encode(JSON.stringify(rounds, round)));
}

// The rounds in a fragment's value; null where it holds none, or anything that results can't be.
export function readResults(value) {
  try {
    const rounds = JSON.parse(new TextDecoder().decode(decode(value)));
    if (!Array.isArray(rounds) || rounds.length === 0 || rounds.length > MAX_ROUNDS) return null;
    return rounds.map(readRound);
  } catch {
    return null;
  }
}

function require(holds) {
  if (!holds) throw new Error("These are no results.");
}

const isNumber = (value) => typeof value === "number" && Number.isFinite(value) && value >= 0;

function readRound(given) {
  require(KINDS.includes(given.kind) && typeof given.prompt === "string");
  const round = { kind: given.kind, prompt: given.prompt, finish: given.finish === "cancelled" ? "cancelled" : null, at_least: given.at_least === true };
  for (const name of NUMBERS) round[name] = readNumber(given[name]);
  if (["race", "predict"].includes(given.kind)) {
    round.arms = { streamed: readArm(given.arms.streamed), whole: readArm(given.arms.whole) };
    round.sentence = readSentence(given.sentence);
  }
  if (given.kind === "predict") round.predictions = { first: readGuesses(given.predictions.first), last: readGuesses(given.predictions.last) };
  return round;
}

function readNumber(value) {
  require(value == null || isNumber(value));
  return value ?? null;
}

function readGuesses(values) {
  require(Array.isArray(values) && values.length <= MAX_GUESSES && values.every(isNumber));
  return values;
}

// The ends of an interval may be below 0.
function readArm({ n, mean, low, high, guesses }) {
  require(isNumber(n) && [mean, low, high].every((value) => value === null || Number.isFinite(value)));
  return { n, mean, low, high, guesses: readGuesses(guesses) };
}

function readSentence(sentence) {
  if (sentence == null) return null;
  const { difference, low, high } = sentence.values;
  require(SENTENCES.includes(sentence.key) && [difference, low, high].every(Number.isFinite));
  return { key: sentence.key, values: { difference, low, high } };
}
