// Station 5: does streaming feel shorter? Rounds of a wait and a guess of how long it was.
"use strict";

import { download, tieRun } from "../shared/dom.js";
import { shuffle } from "../shared/shuffle.js";
import { PACE, planRounds } from "./felt.js";
import { keepRounds, readRounds, writeJson, writeTable } from "./keep.js";
import { showResults, tellRound } from "./results.js";
import { OPENINGS, askForStory, showRound } from "./round.js";

export function mount(root) {
  const find = (name) => root.querySelector(`#perceived-${name}`);
  const rounds = readRounds();
  if (rounds.length) showResults(find, rounds);
  for (const name of ["ask", "say"]) find(name).addEventListener("submit", (event) => event.preventDefault());
  tieRun({ begin: find("begin"), stop: find("stop"), status: find("status") }, (signal) => play(find, rounds, signal));
  find("json").addEventListener("click", () => download("perceived-latency.json", writeJson(rounds), "application/json"));
  find("csv").addEventListener("click", () => download("perceived-latency.csv", writeTable(rounds), "text/csv"));
  find("forget").addEventListener("click", () => {
    rounds.length = 0;
    keepRounds(rounds);
    showResults(find, rounds);
    find("begin").focus();
  });
}

// A series of rounds, each appended to `rounds` once its guess is in. One that was stopped is no round.
async function play(find, rounds, signal) {
  const plan = planRounds(Number(find("rounds").value));
  const openings = shuffle(OPENINGS);
  const before = await askForStory(signal);
  find("stage").hidden = false;
  try {
    let told = "";
    for (let at = 0, asked = 0; at < plan.length; asked += 1) {
      const text = { before, opening: openings[asked % openings.length] };
      const name = `Round ${at + 1} of ${plan.length}`;
      const guessed = await playRound(find, rounds, { ...plan[at], name, told, text }, signal);
      told = guessed ? tellRound(guessed) : "Another tab was in front: that round doesn't count, and is repeated.";
      if (guessed) {
        rounds.push(guessed);
        keepRounds(rounds);
        at += 1;
      }
    }
    find("status").textContent = `${told} All ${plan.length} rounds are over.`;
  } finally {
    for (const name of ["stage", "text"]) find(name).hidden = true;
    await showResults(find, rounds);
  }
}

// Expectation, wait, guess; null where the wait was not watched. `rounds` are those so far, `told` is what there is to say of the last.
async function playRound(find, rounds, { name, told, text, mode, tokens }, signal) {
  const status = find("status");
  status.textContent = `${told} ${name}.`.trim();
  await showResults(find, rounds);
  await submitted(find("ask"), signal);
  const [expectedFirst, expectedLast] = ["expect-first", "expect-last"].map((field) => take(find(field)));
  const host = find("text");
  for (const name of ["verdict", "results"]) find(name).hidden = true; // earlier waits would suggest an answer
  host.hidden = false;
  host.focus({ preventScroll: true });
  status.textContent = `${name}: asked, slowed to ${PACE} tokens/s.`;
  const onFirst = () => { status.textContent = `${name}: the answer begins.`; };
  const { away, ...seen } = await showRound({ mode, tokens }, text, host, { signal, onFirst });
  if (!away) {
    status.textContent = `${name}: the answer is all there.`;
    await submitted(find("say"), signal);
  }
  host.hidden = true;
  if (away) return null;
  return { mode, ...seen, felt: take(find("felt")), expectedFirst, expectedLast };
}

// Shows a form until it is sent. Rejects where `signal` aborts.
function submitted(form, signal) {
  form.hidden = false;
  form.querySelector("input").focus({ preventScroll: true });
  return new Promise((resolve, reject) => {
    form.addEventListener("submit", resolve, { once: true, signal });
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  }).finally(() => { form.hidden = true; });
}

// The number in a field, which is then empty; null where there was none.
function take(field) {
  const value = field.valueAsNumber;
  field.value = "";
  return Number.isNaN(value) ? null : value;
}
