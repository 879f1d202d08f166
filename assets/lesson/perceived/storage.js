// The guesses of this tab: in its sessionStorage and as files. They are sent nowhere.

import { writeCsv } from "../shared/csv.js";
import { MODES, PACE, ratio } from "./estimates.js";

const KEY = "perceived-latency";
const NUMBERS = ["tokens", "first", "total", "felt"];
const OPTIONAL = ["expectedFirst", "expectedLast"];

// The stored rounds; none where they can't be read.
export function readRounds() {
  try {
    const rounds = JSON.parse(sessionStorage.getItem(KEY) ?? "[]");
    return Array.isArray(rounds) ? rounds.filter(isRound) : [];
  } catch {
    return [];
  }
}

// Without storage the guesses last as long as the page.
export function storeRounds(rounds) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(rounds));
  } catch { /* storage is switched off or full */ }
}

function isRound(round) {
  const isTime = (value) => Number.isFinite(value) && value >= 0;
  const isExpected = (value) => value === null || isTime(value);
  return MODES.includes(round?.mode) && NUMBERS.every((name) => isTime(round[name])) && round.total > 0
    && OPTIONAL.every((name) => isExpected(round[name]));
}

export const writeJson = (rounds) => JSON.stringify({ unit: "seconds", max_tokens_per_second: PACE, rounds }, null, 1);

export function writeTable(rounds) {
  const columns = ["mode", ...NUMBERS, ...OPTIONAL];
  const row = (round, at) => [at + 1, ...columns.map((name) => round[name] ?? ""), ratio(round)];
  return writeCsv([["round", ...columns, "felt/total"], ...rounds.map(row)]);
}
