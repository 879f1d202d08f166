// What a click leads to: the tab's conversation and runs, and the race under way.

import { element } from "../lesson/shared/dom.js";
import { loadFile } from "./files.js";
import { readFragment, writeFragment } from "./packing.js";
import { createRace } from "./race.js";
import recordings from "./recordings.js";
import { describeRace, drawLatency, drawTimeline, listDefinitions, listRuns, priceSaving } from "./results.js";
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
let starting = false; // while a run's files are loaded

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
  find("speed").addEventListener("change", () => markChosen(find("speed")));
  bindPrice();
  bindExample();
  find("share").addEventListener("click", () => setValue("link", { fragment: new URLSearchParams({ prompt: prompt().value, pace: chosenPace() }).toString() }));
  showMachine();
  find("generate").disabled = false;
  openLink();
}

// --- the machine and the speed ---

const machine = () => recordings.machines[find("machine").querySelector("select").value];
const chosenPace = () => Number(find("speed").querySelector("input:checked").value);

// The speeds of the chosen machine, its line, and its examples.
function showMachine() {
  const { line, speeds, pace, runs: own } = machine();
  setValue("model", { text: line });
  const labels = speeds.map(([text, value]) => element("label", {},
    element("input", { type: "radio", name: "speed", value, checked: value === pace }), " ", element("span", {}, text)));
  find("speed").querySelector(".wrap").replaceChildren(...labels);
  markChosen(find("speed"));
  showExamples(own);
}

// Those of which there is a run; the prompt box never offers another.
function showExamples(own) {
  const isRecorded = (text) => Object.hasOwn(own, text);
  const chips = [...find("examples").children];
  for (const chip of chips) chip.hidden = !isRecorded(chip.textContent);
  const entered = prompt().value.trim();
  if (!isRecorded(entered) && chips.some((chip) => chip.textContent === entered)) enter(Object.keys(own)[0]);
}

// Returns the pace that is chosen then: another where the machine has not this one.
function choosePace(pace) {
  const input = find("speed").querySelector(`input[value="${Number(pace)}"]`);
  if (input) input.checked = true;
  markChosen(find("speed"));
  return chosenPace();
}

function markChosen(place) {
  for (const label of place.querySelectorAll("label")) label.classList.toggle("selected", label.querySelector("input").checked);
}

// --- races ---

async function ask(mode = chooseMode()) {
  const text = prompt().value.trim();
  if (mode === "example") await stopRace();
  if (!text) return say(sentences.empty);
  const run = machine().runs[text];
  if (!run) return say(sentences.unknown);
  const replaced = { fresh: turns.length, example: turns.length, continue: 0, edit: 1 }[mode];
  if ((await start(createRun(text, run, chosenPace()), replaced)) && mode === "continue") enter("");
}

// The mode for one question that the page's scripts have set, else what the checkbox says.
function chooseMode() {
  const [, mode] = window.tokenStreaming.gatherInputs([prompt().value, find("keep").querySelector("input").checked]);
  return typeof mode === "string" ? mode : mode ? "continue" : "fresh";
}

async function retry() {
  await stopRace();
  const last = turns.at(-1)?.run;
  if (!last) return say(sentences.empty);
  const again = machine().runs[last.question];
  await start(again ? createRun(last.question, again, chosenPace()) : last, 1);
}

async function runExample() {
  const name = `example-${exampleLength()}-${find("example-pace").querySelector("select").value}`;
  if (!recordings.example.runs.includes(name)) return say(sentences.slower);
  await start({ question: recordings.example.question, play: name, recording: "example-trace" }, turns.length);
}

// A run's question and the names of its files.
const createRun = (question, name, pace) => ({ question, play: `${name}-${pace}`, recording: `${name}-trace` });

// Whether the race has started, in place of the last `replaced` turns.
async function start(run, replaced) {
  if (race?.running || starting) return say(sentences.running);
  starting = true;
  try {
    const [play, recording] = await Promise.all([loadFile(run.play), loadFile(run.recording)]);
    turns = turns.slice(0, Math.max(turns.length - replaced, 0));
    number += 1;
    say("");
    showTurns();
    setValue("question", { text: run.question });
    for (const id of ["retry", "clear"]) find(id).disabled = false;
    race = createRace(run.play, play, { show, end: (ended) => record(ended, run, recording) });
    return true;
  } catch (error) {
    return say(error.message);
  } finally {
    starting = false;
  }
}

const show = (side, value) => setValue(`${side}-run`, { ...value, number });

async function stopRace() {
  if (race?.running) await race.stop(SIDES);
}

// Both sides have ended: their last values, the charts and the tables.
async function record(ended, run, recording) {
  const race = { ...describeRace(ended, recording), number: runs.length + 1 };
  const { results, trace } = race;
  const values = Object.fromEntries(SIDES.map((side) => [side, { ...ended.values[side], note: results.notes[side] }]));
  for (const side of SIDES) show(side, values[side]);
  turns.push({ run, values });
  runs.push(race);
  find("results").hidden = false;
  setValue("timeline", JSON.stringify(drawTimeline(race)));
  setValue("latency", JSON.stringify(drawLatency(runs)));
  setValue("table", JSON.stringify(listRuns(runs)));
  showSaving();
  if (trace) setValue("definitions", JSON.stringify(listDefinitions(race)));
  if (results.example) setValue("example", JSON.stringify(results.example));
  setValue("run", trace && JSON.stringify({ number: race.number, trace, fragment: await writeFragment(trace) }));
}

async function clear() {
  await stopRace();
  turns = [];
  runs = [];
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
    setValue(`${side}-past`, turns.map(({ run, values }) => ({ question: run.question, text: values[side].text, note: values[side].note || "no text" })));
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

// The documentation's example: its prediction, and its run.
function bindExample() {
  const controls = ["example-length", "example-pace"].map(find);
  for (const control of controls) control.addEventListener("change", showPrediction);
  find("example-run").addEventListener("click", runExample);
  showPrediction();
}

const exampleLength = () => find("example-length").querySelector("input:checked").value;

function showPrediction() {
  markChosen(find("example-length"));
  setValue("example", JSON.stringify(recordings.example.predictions[`${exampleLength()}-${find("example-pace").querySelector("select").value}`]));
}

// --- links ---

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
  const pace = trace.pace ?? 0;
  for (const [at, { runs: own }] of recordings.machines.entries()) {
    if (!own[question] || !isSame(await loadFile(`${own[question]}-trace`), trace)) continue;
    find("machine").querySelector("select").value = at;
    showMachine();
    return start(createRun(question, own[question], choosePace(pace)), 0);
  }
  const name = `example-${trace.max_new_tokens}-${pace}`;
  if (recordings.example.runs.includes(name) && isSame(await loadFile("example-trace"), trace)) {
    return start({ question, play: name, recording: "example-trace" }, 0);
  }
  return say(sentences.elsewhere);
}

// Whether a link's run is a recording, at whatever speed and however much of it.
function isSame(recording, { tokens, ...linked }) {
  const named = ["model_id", "device", "dtype", "made", "seed"].every((name) => recording[name] === linked[name]);
  return named && Array.isArray(tokens) && tokens.every(([, id], at) => id === recording.tokens[at]?.[1]);
}
