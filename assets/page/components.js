// What each of the page's components does in the browser. Gradio calls a mount… function as it puts one on the page.
"use strict";

import { SIDES, anyRunning, ask, marksOf, refuse, write } from "./heads.js";
import "./connection.js";
import * as slowMotion from "./slow_motion.js";

export { mountChart } from "./charts.js";
export { mountPane, mountPast } from "./panes.js";
export { mountTable } from "./tables.js";

const page = window.tokenStreaming;
page.marks = marksOf;
const find = (id) => document.getElementById(id);
const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
const promptBox = () => document.querySelector("#prompt textarea");

// --- the prompt, and what starts a race ------------------------------------------------------------------------------

// A race begins: its clocks run from now on.
function start() {
  slowMotion.stop({ replaced: true });
  ask();
}

export function mountExamples(element, trigger) {
  element.addEventListener("click", ({ target }) => {
    if (!target.matches(".chip")) return;
    fill(target.textContent);
    page.how = "example";
    start();
    trigger("click");
  });
}

// The sentence below the controls, and what can be done with an answer that is there.
export function mountVerdict(element, trigger) {
  find("complete").addEventListener("click", () => { start(); trigger("click"); });
  find("slow-motion").addEventListener("click", ({ target }) => {
    if (slowMotion.isPlaying()) slowMotion.stop();
    else slowMotion.play(target, page.run);
  });
}

export function mountLine(element, props, watch) {
  const line = element.querySelector("[data-line]");
  const apply = () => {
    const { value } = props;
    const text = typeof value === "string" ? value : (value?.text ?? "");
    write(line, text);
    element.toggleAttribute("data-empty", text === "");
    if (line.id === "message" && text) refuse();
    // The question stands in the prompt as long as it is the last one; Gradio may set that after this.
    if (line.id === "question") requestAnimationFrame(() => element.toggleAttribute("data-empty", text === "" || text === promptBox().value));
  };
  apply();
  watch("value", apply);
  element.querySelector("#edit")?.addEventListener("click", () => {
    fill(line.textContent);
    page.how = "edit";
    promptBox().focus();
  });
}

// Types `text` into the prompt, as a person would.
function fill(text) {
  const box = promptBox();
  Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value").set.call(box, text);
  box.dispatchEvent(new Event("input", { bubbles: true }));
}

// Way 1: A click on Generate starts both clocks, before the server knows of it
document.addEventListener("click", ({ target }) => {
  const id = target.closest?.("button")?.id;
  if (id === "generate" && promptBox()?.value.trim() && !anyRunning()) start();
  if (id === "retry") start();
  if (id === "clear") page.how = null;
  if (id === "example-run" && !anyRunning()) {
    start();
    find("panes").scrollIntoView({ behavior: calm.matches ? "auto" : "smooth", block: "start" });
  }
}, true);

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    slowMotion.stop();
    if (anyRunning()) find("stop")?.click();
  }
  const sends = event.key === "Enter" && !event.shiftKey && !event.isComposing && event.target === promptBox();
  if (sends && event.target.value.trim() && !anyRunning()) start();
}, true);

// --- the tab ---------------------------------------------------------------------------------------------------------

// Behind another tab, less is sent.
export function mountSight(trigger) {
  const tell = () => trigger(document.hidden ? "blur" : "focus");
  if (document.hidden) tell();
  document.addEventListener("visibilitychange", tell);
}

// --- what is loaded when it is first needed ----------------------------------------------------------------------------

// A part of the page that has a script of its own, named by its `data-station`: loaded when it comes near.
export function mountStation(element, props, watch) {
  const nearing = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    nearing.disconnect();
    mountNow(element, props, watch);
  }, { rootMargin: "400px" });
  nearing.observe(element.querySelector("[data-station]"));
  for (const button of element.querySelectorAll("button")) button.disabled = true;
}

// Its buttons can be pressed once there is something behind them.
export async function mountNow(element, props, watch) {
  const root = element.querySelector("[data-station]");
  const name = root.dataset.station;
  const station = await import(new URL(`lesson/${name}/${name}.js`, document.baseURI));
  for (const button of root.querySelectorAll("button")) button.disabled = false;
  station.mount(root, { props, watch });
}

// The last run, for whoever draws, saves or links to it: {number, trace, fragment}, as JSON; they hear a `run` event.
export function mountRun(element, props, watch) {
  mountNow(element, props, watch);
  const tell = () => {
    page.run = props.value ? JSON.parse(props.value) : null;
    slowMotion.offer(find("slow-motion"), page.run);
    document.dispatchEvent(new CustomEvent("run"));
  };
  tell();
  watch("value", tell);
}

window.addEventListener("hashchange", () => { if (location.hash.includes("=")) location.reload(); });
