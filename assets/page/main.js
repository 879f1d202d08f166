// The page's own functions, which Gradio calls by name: a mount… function as it puts a component on the page, `gatherInputs`
// when a question is asked. Gradio evaluates those calls, so the functions are values of `window.tokenStreaming`.

import "./event_stream.js";
import "./connection.js";
import { follow } from "../lesson/shared/dom.js";
import { mountChart } from "./charts.js";
import { anyRunning, marksOf, restoreClocks, startClocks, write } from "./heads.js";
import { mountLanguages } from "./language.js";
import { mountPane, mountPast } from "./panes.js";
import { mountModelButtons } from "./model_buttons.js";
import * as slowMotion from "./slow_motion.js";
import { mountTable } from "./tables.js";

const mounts = { mountChart, mountExamples, mountLanguages, mountLine, mountPane, mountPast, mountRun, mountStation, mountTable, mountVerdict, mountVisibility, mountWhenNear };
// Gradio may attach a component's element only after the call.
const defer = (mount) => (...values) => queueMicrotask(() => mount(...values));
const page = { run: null, mode: null, marks: marksOf, gatherInputs };
for (const [name, mount] of Object.entries(mounts)) page[name] = defer(mount);
window.tokenStreaming = page;
document.documentElement.classList.toggle("framed", window.self !== window.top);

const find = (id) => document.getElementById(id);
const reducedMotion = window.matchMedia("(prefers-reduced-motion: reduce)");
const promptBox = () => document.querySelector("#prompt textarea");

// --- the prompt, and what starts a race ------------------------------------------------------------------------------

// The prompt, the mode in which it is asked, and the settings as one value. `page.mode` is for one question only.
function gatherInputs([prompt, keep, ...settings]) {
  const mode = page.mode ?? keep;
  page.mode = null;
  return [prompt, mode, ...settings];
}

function startRace() {
  slowMotion.stop({ replaced: true });
  startClocks();
}

function mountExamples(element, trigger) {
  element.addEventListener("click", ({ target }) => {
    if (!target.matches(".chip")) return;
    enterPrompt(target.textContent);
    page.mode = "example";
    startRace();
    trigger("click");
  });
}

// The sentence that compares both sides, and what can be done with an answer that is complete.
function mountVerdict(element, trigger) {
  find("complete").addEventListener("click", () => { startRace(); trigger("click"); });
  find("slow-motion").addEventListener("click", ({ target }) => {
    if (slowMotion.isPlaying()) slowMotion.stop();
    else slowMotion.play(target, page.run);
  });
}

function mountLine(element, props, watch, trigger) {
  const line = element.querySelector("[data-line]");
  follow(watch, () => {
    const { value } = props;
    const text = typeof value === "string" ? value : (value?.text ?? "");
    write(line, text);
    element.toggleAttribute("data-empty", text === "");
    element.toggleAttribute("data-pending", Boolean(value?.pending)); // the model cannot answer: said in the smallest frame too
    if (line.id === "message" && text) restoreClocks();
    // The question is hidden while it equals the prompt, which Gradio may set after this.
    if (line.id === "question") requestAnimationFrame(() => element.toggleAttribute("data-empty", text === "" || text === promptBox().value));
  });
  mountModelButtons(element, props, watch, trigger);
  element.querySelector("#edit")?.addEventListener("click", () => {
    enterPrompt(line.textContent);
    page.mode = "edit";
    promptBox().focus();
  });
}

// Sets the prompt as if it were typed, so that Gradio notices.
function enterPrompt(text) {
  const box = promptBox();
  Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value").set.call(box, text);
  box.dispatchEvent(new Event("input", { bubbles: true }));
}

// Way 1: A click on Generate starts both clocks, before the server knows of it
document.addEventListener("click", ({ target }) => {
  const id = target.closest?.("button")?.id;
  if (id === "generate" && promptBox()?.value.trim() && !anyRunning()) startRace();
  if (id === "retry") startRace();
  if (id === "clear") page.mode = null;
  if (id === "example-run" && !anyRunning()) {
    startRace();
    find("panes").scrollIntoView({ behavior: reducedMotion.matches ? "auto" : "smooth", block: "start" });
  }
}, true);

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    slowMotion.stop();
    if (anyRunning()) find("stop")?.click();
  }
  const sends = event.key === "Enter" && !event.shiftKey && !event.isComposing && event.target === promptBox();
  if (sends && event.target.value.trim() && !anyRunning()) startRace();
}, true);

// The server sends fewer updates to a hidden tab.
function mountVisibility(element, trigger) {
  const report = () => trigger(document.hidden ? "blur" : "focus");
  if (document.hidden) report();
  document.addEventListener("visibilitychange", report);
}

// --- stations: parts of the page with a script of their own, named by `data-station` ------------------------------------

// The script is loaded when the station comes near; until then its buttons are disabled.
function mountWhenNear(element, props, watch) {
  const observer = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    mountStation(element, props, watch);
  }, { rootMargin: "400px" });
  observer.observe(element.querySelector("[data-station]"));
  for (const button of element.querySelectorAll("button")) button.disabled = true;
}

async function mountStation(element, props, watch) {
  const root = element.querySelector("[data-station]");
  const name = root.dataset.station;
  try {
    const station = await import(`../lesson/${name}/${name}.js`);
    for (const button of root.querySelectorAll("button")) button.disabled = false;
    station.mount(root, { props, watch });
  } catch (error) {
    write(root.querySelector(".status"), "This part can't be loaded: reload the page.");
    throw error;
  }
}

// The last run, {number, trace, fragment} as JSON; a `run` event announces it.
function mountRun(element, props, watch) {
  mountStation(element, props, watch);
  follow(watch, () => {
    page.run = props.value ? JSON.parse(props.value) : null;
    slowMotion.offer(find("slow-motion"), page.run);
    document.dispatchEvent(new CustomEvent("run"));
  });
}

window.addEventListener("hashchange", () => { if (location.hash.includes("=")) location.reload(); });
