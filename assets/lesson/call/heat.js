// A stream's tokens over its text: how likely each was, by its colour, and everything that the API tells of one.
"use strict";

import { element, fillTable, NOTHING, tieDial, tieRun } from "../shared/dom.js";
import { generateStreamed, putInTemplate } from "../shared/stream.js";

const DEEPEST = 3; // the log-probability, less its sign, from which on the colour is the deepest
const PERCENT = 50; // of the accent in the deepest colour
const MARKS = [0, 1, 2, 3];
const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

export function mountHeat(root) {
  const find = (name) => root.querySelector(`#heat-${name}`);
  const [question, tokens, top] = ["question", "tokens", "top"].map(find);
  const strip = makeStrip(find("strip"), find("facts"));
  const table = makeTable(find("as-table"), find("table"));
  let told = [];

  tieDial(tokens, tokens.parentElement.querySelector("output"));
  find("key").querySelector(".marks").append(...MARKS.map(makeMark));
  question.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.isComposing) find("run").click();
  });
  const control = { begin: find("run"), stop: find("stop"), status: find("status") };
  tieRun(control, async (signal) => {
    told = [];
    strip.clear();
    table.fill(told);
    control.status.textContent = "Request sent …";
    try {
      const inputs = await putInTemplate(question.value.trim(), { signal });
      const parameters = { max_new_tokens: Number(tokens.value), details: true, top_n_tokens: Number(top.value) };
      const { details } = await generateStreamed({ inputs, parameters }, { signal, onToken: (event) => {
        if (told.length === 0) control.status.textContent = "Tokens are arriving …";
        told.push(describe(event));
        strip.add(told.at(-1));
      } });
      control.status.textContent = `Done: ${told.length} tokens; finish reason: ${details?.finish_reason ?? NOTHING}.`;
    } finally {
      strip.finish();
      table.fill(told);
    }
  });
}

// What the page needs from one event. A special token has no text; `top_tokens` spell it out.
function describe({ index, token, top_tokens: top = [] }) {
  const spelled = token.special ? top.find((each) => each.id === token.id)?.text : null;
  return { index, ...token, spelled: spelled ?? null, top };
}

const sayPercent = (logprob) => `${Number((Math.exp(logprob) * 100).toPrecision(3))} %`;
const sayLogprob = (logprob) => logprob.toFixed(4);
const quote = (token) => token.spelled ?? (token.special ? "(special)" : JSON.stringify(token.text));
const heatOf = (logprob) => `${(Math.min(-logprob / DEEPEST, 1) * PERCENT).toFixed(1)}%`;

// Spaces and new lines as visible signs; a line may still break before a space.
function makeVisible({ special, spelled, text, id }) {
  if (special) return [spelled ?? `#${id}`];
  const pieces = text.replaceAll("\t", "⇥").replaceAll("\n", "⏎\n").split(" ");
  return text === "" ? ["◌"] : pieces.flatMap((piece, place) => (place ? [element("wbr"), `·${piece}`] : [piece]));
}

function makeMark(depth) {
  const last = depth === DEEPEST ? " or less" : "";
  return element("span", {}, `${depth ? "−" : ""}${depth}`, element("br"), `${sayPercent(-depth)}${last}`);
}

// The tokens as a list with one tab stop and arrow keys; the facts of the chosen one are beside it.
function makeStrip(host, facts) {
  let list = null;
  let chosen = null; // by the reader
  const tokens = new Map();

  function clear() {
    [list, chosen] = [null, null];
    tokens.clear();
    host.replaceChildren(element("p", { class: "placeholder" }, "…"));
    facts.replaceChildren(element("p", { class: "placeholder" }, "Point at a token, or use the arrow keys."));
  }

  function add(token) {
    list ??= begin();
    const option = element("span", {
      role: "option", tabindex: list.children.length ? "-1" : "0", "aria-selected": "false",
      class: token.special ? "token special" : "token", "data-text": token.text, "data-logprob": token.logprob,
      "aria-label": `Token ${token.index}: ${quote(token)}, log-probability ${sayLogprob(token.logprob)}, ${sayPercent(token.logprob)}`,
    }, ...makeVisible(token));
    option.style.setProperty("--heat", heatOf(token.logprob));
    tokens.set(option, token);
    list.append(option);
  }

  function begin() {
    const made = element("div", { role: "listbox", "aria-label": "Tokens of the answer", "aria-orientation": "horizontal" });
    for (const event of ["focusin", "click", "mouseover"]) made.addEventListener(event, ({ target }) => choose(target, true));
    made.addEventListener("keydown", move);
    host.replaceChildren(made);
    return made;
  }

  function move(event) {
    const options = [...list.children];
    const from = options.indexOf(event.target);
    const to = { Home: 0, End: options.length - 1 }[event.key] ?? (event.key in STEPS ? from + STEPS[event.key] : null);
    if (to === null) return;
    event.preventDefault();
    options[to]?.focus();
  }

  function choose(option, byReader) {
    if (!tokens.has(option)) return;
    for (const each of list.children) {
      each.setAttribute("aria-selected", each === option);
      each.tabIndex = each === option ? 0 : -1;
    }
    chosen = byReader ? option : chosen;
    facts.replaceChildren(...showFacts(tokens.get(option)));
  }

  // Unless the reader has chosen another, the least likely token is shown.
  function finish() {
    if (!list) host.replaceChildren(element("p", { class: "placeholder" }, "No tokens arrived."));
    else if (!chosen) choose([...tokens.keys()].reduce((a, b) => (tokens.get(b).logprob < tokens.get(a).logprob ? b : a)), false);
  }

  return { clear, add, finish };
}

function showFacts(token) {
  const facts = [
    ["token", token.index], ["id", token.id], ["text", quote(token)], ["log-probability", sayLogprob(token.logprob)],
    ["probability", sayPercent(token.logprob)], ["special", token.special ? "yes" : "no"],
  ];
  const others = token.top.map((each) => {
    const bar = element("span", { class: "bar", "aria-hidden": "true" });
    bar.style.setProperty("--share", `${(Math.exp(each.logprob) * 100).toFixed(1)}%`);
    const text = element("code", {}, each.special ? each.text : JSON.stringify(each.text));
    return element("li", { class: each.id === token.id ? "taken" : null }, text, bar, element("span", {}, sayPercent(each.logprob)));
  });
  return [
    element("dl", {}, ...facts.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, String(value))])),
    element("p", {}, "The most likely tokens here; the chosen one is bold:"), element("ol", {}, ...others),
  ];
}

// The same as a table.
function makeTable(button, host) {
  const columns = ["token", "id", "text", "log-probability", "probability", "special"];
  button.addEventListener("click", () => {
    host.hidden = !host.hidden;
    button.setAttribute("aria-pressed", String(!host.hidden));
  });
  const write = (token) => [
    token.index, token.id, quote(token), sayLogprob(token.logprob), sayPercent(token.logprob), token.special ? "yes" : "no",
  ];
  return { fill: (tokens) => fillTable(host, "Every token of the answer", columns, tokens.map(write)) };
}
