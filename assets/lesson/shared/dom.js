// Elements, numbers in words, and the one place where a sentence about what went wrong is shown.
"use strict";

import { copy as copyText } from "../../answer/code.js";

export const NOTHING = "–";

// An element; `attributes` may hold `class`, `data-…`, `aria-…` and on… listeners, children are nodes or text.
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== false && value != null) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child != null));
  return node;
}

// A duration as a person reads it: "72 ms", "1.24 s", "12.4 s". As words.py says them.
export function saySeconds(seconds) {
  if (seconds == null || Number.isNaN(seconds)) return NOTHING;
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  return `${seconds.toFixed(seconds < 9.995 ? 2 : 1)} s`;
}

export const sayCount = (count) => (count == null ? NOTHING : count.toLocaleString("en-US"));
export const sayRate = (rate) => (rate == null ? NOTHING : rate.toFixed(1));

// A table in place of what `host` holds: `columns` are names, `rows` arrays of text. Filled again, it keeps its place and focus.
export function fillTable(host, caption, columns, rows) {
  const cells = (kind, row) => row.map((cell) => element(kind, kind === "th" ? { scope: "col" } : {}, String(cell)));
  const body = rows.map((row) => element("tr", {}, ...cells("td", row)));
  const region = host.querySelector(":scope > .scroll") ?? element("div", { class: "scroll", tabindex: "0", role: "region" });
  region.setAttribute("aria-label", caption);
  region.replaceChildren(element("table", {},
    element("caption", {}, caption),
    element("thead", {}, element("tr", {}, ...cells("th", columns))),
    element("tbody", {}, ...body)));
  if (region.parentElement !== host) host.replaceChildren(region);
}

// Ties a range input to the output that says its value.
export function tieDial(input, output, say = String) {
  const show = () => { output.textContent = say(Number(input.value)); };
  input.addEventListener("input", show);
  show();
}

// One run at a time: `begin` and `stop` buttons, a status line, and what `work(signal)` throws as one sentence.
export function tieRun({ begin, stop, status }, work) {
  let control = null;
  stop.disabled = true;
  begin.addEventListener("click", async () => {
    if (control) return;
    control = new AbortController();
    begin.disabled = true;
    stop.disabled = false;
    status.classList.remove("wrong");
    try {
      await work(control.signal);
    } catch (error) {
      status.textContent = control.signal.aborted ? "Stopped." : sayError(error);
      status.classList.toggle("wrong", !control.signal.aborted);
    } finally {
      control = null;
      begin.disabled = false;
      stop.disabled = true;
    }
  });
  stop.addEventListener("click", () => control?.abort());
}

export function sayError(error) {
  if (error instanceof TypeError) return "The server can't be reached: is it still running?";
  return error.message;
}

export async function copy(text, button) {
  const label = button.textContent;
  button.textContent = (await copyText(text)) ? "Copied" : "Select and copy";
  setTimeout(() => { button.textContent = label; }, 1500);
}

export function download(name, content, type) {
  const url = content.startsWith?.("data:") ? content : URL.createObjectURL(new Blob([content], { type }));
  element("a", { href: url, download: name }).click();
  if (!content.startsWith?.("data:")) setTimeout(() => URL.revokeObjectURL(url), 1000);
}
