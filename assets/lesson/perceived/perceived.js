// Station 5: does streaming feel shorter? Rounds of a wait and a guess of how long it was.

import { download, bindRun } from "../shared/dom.js";
import { shuffle } from "../shared/shuffle.js";
import { PACE, planRounds } from "./estimates.js";
import { storeRounds, readRounds, writeJson, writeTable } from "./storage.js";
import { showResults, describeRound } from "./results.js";
import { OPENINGS, createStoryPrompt, showRound } from "./round.js";

export function mount(root) {
  const find = (name) => root.querySelector(`#perceived-${name}`);
  const rounds = readRounds();
  if (rounds.length) showResults(find, rounds);
  for (const name of ["ask", "say"]) find(name).addEventListener("submit", (event) => event.preventDefault());
  bindRun({ begin: find("begin"), stop: find("stop"), status: find("status") }, (signal) => play(find, rounds, signal));
  find("json").addEventListener("click", () => download("perceived-latency.json", writeJson(rounds), "application/json"));
  find("csv").addEventListener("click", () => download("perceived-latency.csv", writeTable(rounds), "text/csv"));
  find("forget").addEventListener("click", () => {
    rounds.length = 0;
    storeRounds(rounds);
    showResults(find, rounds);
    find("begin").focus();
  });
}

// A series of rounds, each appended to `rounds` after its guess; a stopped round is dropped.
async function play(find, rounds, signal) {
  const plan = planRounds(Number(find("rounds").value));
  const openings = shuffle(OPENINGS);
  const before = await createStoryPrompt(signal);
  find("stage").hidden = false;
  try {
    let previous = "";
    for (let at = 0, asked = 0; at < plan.length; asked += 1) {
      const text = { before, opening: openings[asked % openings.length] };
      const name = `Round ${at + 1} of ${plan.length}`;
      const guessed = await playRound(find, rounds, { ...plan[at], name, previous, text }, signal);
      previous = guessed ? describeRound(guessed) : "Another tab was in front: that round doesn't count, and is repeated.";
      if (guessed) {
        rounds.push(guessed);
        storeRounds(rounds);
        at += 1;
      }
    }
    find("status").textContent = `${previous} All ${plan.length} rounds are over.`;
  } finally {
    for (const name of ["stage", "text"]) find(name).hidden = true;
    await showResults(find, rounds);
  }
}

// Expectation, wait, guess; null where the tab was hidden meanwhile. `previous` describes the round before.
async function playRound(find, rounds, { name, previous, text, mode, tokens }, signal) {
  const status = find("status");
  status.textContent = `${previous} ${name}.`.trim();
  await showResults(find, rounds);
  await waitForSubmit(find("ask"), signal);
  const [expectedFirst, expectedLast] = ["expect-first", "expect-last"].map((field) => takeNumber(find(field)));
  const host = find("text");
  for (const name of ["verdict", "results"]) find(name).hidden = true; // earlier waits would influence the guess
  host.hidden = false;
  host.focus({ preventScroll: true });
  status.textContent = `${name}: asked, slowed to ${PACE} tokens/s.`;
  const onFirst = () => { status.textContent = `${name}: the answer begins.`; };
  const { hidden, ...times } = await showRound({ mode, tokens }, text, host, { signal, onFirst });
  if (!hidden) {
    status.textContent = `${name}: the answer is all there.`;
    await waitForSubmit(find("say"), signal);
  }
  host.hidden = true;
  if (hidden) return null;
  return { mode, ...times, felt: takeNumber(find("felt")), expectedFirst, expectedLast };
}

// Shows a form until it is submitted; rejects when `signal` aborts.
function waitForSubmit(form, signal) {
  signal.throwIfAborted(); // an aborted signal fires no more event
  form.hidden = false;
  form.querySelector("input").focus({ preventScroll: true });
  return new Promise((resolve, reject) => {
    form.addEventListener("submit", resolve, { once: true, signal });
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  }).finally(() => { form.hidden = true; });
}

// Reads the number in a field and empties it; null where there is none.
function takeNumber(field) {
  const value = field.valueAsNumber;
  field.value = "";
  return Number.isNaN(value) ? null : value;
}
