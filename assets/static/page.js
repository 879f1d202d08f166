// What a click leads to: the tab's conversation and runs, and the race under way.

import { loadFile } from "./files.js";
import { readFragment, writeFragment } from "./link.js";
import { createRace } from "./race.js";
import recordings from "./recordings.js";
import { describeRace, drawLatency, drawTimeline, listRuns, priceSaving } from "./results.js";
import { setValue } from "./store.js";

const SIDES = ["streamed", "whole"];
const find = (id) => document.getElementById(id);
const prompt = () => document.querySelector("#prompt textarea");
const sentences = recordings.sentences;

let turns = []; // the conversation: {question, values}
let runs = []; // of this conversation and earlier ones
let race = null;
let number = 0; // of the races
let sentence = 0;
let asked = ""; // the last question

export const triggers = { mountExamples: () => ask("example") };

export function bindPage() {
  for (const [id, listener] of Object.entries({ generate: () => ask(), retry, clear })) find(id).addEventListener("click", listener);
  find("stop").addEventListener("click", () => race?.stop(SIDES));
  for (const side of SIDES) find(`${side}-stop`).addEventListener("click", () => race?.stop([side]));
  prompt().addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    ask();
  });
  find("machine").addEventListener("change", showMachine);
  find("speed").addEventListener("change", markSpeed);
  bindPrice();
  bindExample();
  bindShare();
  showMachine();
  find("generate").disabled = false;
  openLink();
}

// --- the machine and the speed ---

const machine = () => recordings.machines[find("machine").querySelector("select").value];
const chosenPace = () => Number(find("speed").querySelector("input:checked").value);

// The speeds of the chosen machine, and its line.
function showMachine() {
  const { line, speeds, pace } = machine();
  setValue("model", { text: line });
  const labels = speeds.map(([text, value]) => {
    const input = Object.assign(document.createElement("input"), { type: "radio", name: "speed", value, checked: value === pace });
    const label = document.createElement("label");
    label.append(input, " ", Object.assign(document.createElement("span"), { textContent: text }));
    return label;
  });
  find("speed").querySelector(".wrap").replaceChildren(...labels);
  markSpeed();
}

// Returns the pace that is chosen then: another where the machine has not this one.
function choosePace(pace) {
  const input = find("speed").querySelector(`input[value="${Number(pace)}"]`);
  if (input) input.checked = true;
  markSpeed();
  return chosenPace();
}

function markSpeed() {
  for (const label of find("speed").querySelectorAll("label")) label.classList.toggle("selected", label.querySelector("input").checked);
}

// --- races ---

async function ask(mode = chooseMode()) {
  const text = prompt().value.trim();
  if (mode === "example") await stopRace();
  if (race?.running) return say(sentences.running);
  if (!text) return say(sentences.empty);
  const run = machine().runs[text];
  if (!run) return say(sentences.unknown);
  const replaced = { fresh: turns.length, example: turns.length, continue: 0, edit: 1 }[mode];
  if (mode === "continue") enter("");
  await start(text, run, chosenPace(), replaced);
}

// The mode for one question that the page's scripts have set, else what the checkbox says.
function chooseMode() {
  const [, mode] = window.tokenStreaming.gatherInputs([prompt().value, find("keep").querySelector("input").checked]);
  return typeof mode === "string" ? mode : mode ? "continue" : "fresh";
}

async function retry() {
  await stopRace();
  const { question, run } = turns.at(-1) ?? {};
  if (run) await start(question, machine().runs[question] ?? run, chosenPace(), 1);
}

async function start(question, run, pace, replaced) {
  const name = `${run}-${pace}`;
  let files;
  try {
    files = await Promise.all([loadFile(name), loadFile(`${run}-trace`)]);
  } catch (error) {
    return say(error.message);
  }
  const [play, recording] = files;
  turns = turns.slice(0, Math.max(turns.length - replaced, 0));
  asked = question;
  number += 1;
  say("");
  showTurns();
  setValue("question", { text: question });
  for (const id of ["retry", "clear"]) find(id).disabled = false;
  race = createRace(name, play, { show, end: (ended) => record(ended, { question, run, recording }) });
}

const show = (side, value) => setValue(`${side}-run`, { ...value, number });

async function stopRace() {
  if (!race?.running) return;
  await race.stop(SIDES);
}

// Both sides have ended: their last values, the charts and the tables.
async function record(ended, { question, run, recording }) {
  const described = { ...describeRace(ended, recording), number: runs.length + 1 };
  const values = Object.fromEntries(SIDES.map((side) => [side, { ...ended.values[side], note: described.results.notes[side] }]));
  for (const side of SIDES) show(side, values[side]);
  turns.push({ question, run, values });
  runs.push(described);
  find("results").hidden = false;
  setValue("timeline", JSON.stringify(drawTimeline(described)));
  setValue("latency", JSON.stringify(drawLatency(runs)));
  setValue("table", JSON.stringify(listRuns(runs)));
  showSaving();
  const { trace } = described;
  setValue("run", trace && JSON.stringify({ number: described.number, trace, fragment: await writeFragment(trace) }));
}

async function clear() {
  await stopRace();
  turns = [];
  runs = [];
  asked = "";
  number += 1;
  say("");
  showTurns();
  setValue("question", { text: "" });
  for (const side of SIDES) show(side, recordings.idle[side]);
  for (const id of ["retry", "clear"]) find(id).disabled = true;
  find("results").hidden = true;
}

// --- what is shown ---

// Numbered, since the same sentence may be said again.
function say(text) {
  sentence += 1;
  setValue("message", { text, number: sentence });
}

function showTurns() {
  for (const side of SIDES) {
    setValue(`${side}-past`, turns.map(({ question, values }) => ({ question, text: values[side].text, note: values[side].note || "no text" })));
  }
}

function enter(text) {
  prompt().value = text;
  prompt().dispatchEvent(new Event("input", { bubbles: true }));
}

function bindPrice() {
  const [range, output] = ["input", "output"].map((tag) => find("price").querySelector(tag));
  range.addEventListener("input", () => {
    output.textContent = range.value;
    showSaving();
  });
}

function showSaving() {
  if (runs.length) setValue("saved", JSON.stringify(priceSaving(runs.at(-1), Number(find("price").querySelector("input").value))));
}

// The prediction of the documentation's example.
function bindExample() {
  const [length, pace] = ["example-length", "example-pace"].map(find);
  const update = () => {
    for (const label of length.querySelectorAll("label")) label.classList.toggle("selected", label.querySelector("input").checked);
    setValue("example", JSON.stringify(recordings.examples[`${length.querySelector("input:checked").value}-${pace.querySelector("select").value}`]));
  };
  for (const control of [length, pace]) control.addEventListener("change", update);
}

// --- links ---

function bindShare() {
  find("share").addEventListener("click", () => setValue("link", { fragment: new URLSearchParams({ prompt: prompt().value, pace: chosenPace() }).toString() }));
}

// A run in the address starts at once if it is one of this page's; a prompt is entered.
async function openLink() {
  const fragment = location.hash.slice(1);
  const given = new URLSearchParams(fragment);
  if (given.has("prompt")) enter(given.get("prompt"));
  if (given.has("pace")) choosePace(given.get("pace"));
  try {
    const trace = await readFragment(fragment);
    if (trace) await playLinked(trace);
  } catch (error) {
    say(error.message);
  }
}

async function playLinked(trace) {
  const question = typeof trace.prompt === "string" ? trace.prompt : trace.prompt.at(-1).content;
  for (const each of recordings.machines) {
    const run = each.runs[question];
    const own = run && (await loadFile(`${run}-trace`));
    if (own && isSame(own, trace)) {
      find("machine").querySelector("select").value = recordings.machines.indexOf(each);
      showMachine();
      return start(question, run, choosePace(trace.pace ?? 0), 0);
    }
  }
  say(sentences.elsewhere);
}

const isSame = (own, trace) => own.tokens.length === trace.tokens?.length && ["model_id", "device", "dtype", "made", "seed"].every((name) => own[name] === trace[name]);
