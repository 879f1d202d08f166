// The tokens of an answer: their text coloured by log-probability, and everything that the API reports of each.

import { translate } from "../../page/language.js";
import { element, fillTable, bindOutput, bindRun } from "../shared/dom.js";
import { MISSING } from "../shared/format.js";
import { generateStreamed, applyChatTemplate } from "../shared/stream.js";

const MAX_SURPRISAL = 3; // the negative log-probability from which on the colour is the deepest
const MAX_PERCENT = 50; // of the accent, in the deepest colour
const MARKS = [0, 1, 2, 3];
const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

export function mountTokens(root) {
  const find = (name) => root.querySelector(`#heat-${name}`);
  const [question, limit, top] = ["question", "tokens", "top"].map(find);
  const strip = createStrip(find("strip"), find("facts"));
  const table = createTable(find("as-table"), find("table"));
  let tokens = [];

  bindOutput(limit, limit.parentElement.querySelector("output"));
  find("key").querySelector(".marks").append(...MARKS.map(createMark));
  question.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.isComposing) find("run").click();
  });
  const control = { begin: find("run"), stop: find("stop"), status: find("status") };
  bindRun(control, async (signal) => {
    tokens = [];
    strip.clear();
    table.fill(tokens);
    control.status.textContent = "Request sent …";
    try {
      const inputs = await applyChatTemplate(question.value.trim(), { signal });
      const parameters = { max_new_tokens: Number(limit.value), details: true, top_n_tokens: Number(top.value) };
      const { details } = await generateStreamed({ inputs, parameters }, { signal, onToken: (event) => {
        if (tokens.length === 0) control.status.textContent = "Tokens are arriving …";
        tokens.push(parse(event));
        strip.add(tokens.at(-1));
      } });
      control.status.textContent = `Done: ${tokens.length} tokens; finish reason: ${details?.finish_reason ?? MISSING}.`;
    } finally {
      strip.finish();
      table.fill(tokens);
    }
  });
}

// What is shown of an event. A special token has no text, but its entry in `top_tokens` has.
function parse({ index, token, top_tokens: top = [] }) {
  const spelled = token.special ? top.find((each) => each.id === token.id)?.text : null;
  return { index, ...token, spelled: spelled ?? null, top };
}

const formatPercent = (logprob) => `${Number((Math.exp(logprob) * 100).toPrecision(3))} %`;
const formatLogprob = (logprob) => logprob.toFixed(4);
const quote = (token) => token.spelled ?? (token.special ? "(special)" : JSON.stringify(token.text));
const FACTS = ["token", "id", "text", "log-probability", "probability", "special"];
const listFacts = (token) => [
  token.index, token.id, element("code", {}, quote(token)), formatLogprob(token.logprob), formatPercent(token.logprob), token.special ? "yes" : "no",
];
const colourOf = (logprob) => `${(Math.min(-logprob / MAX_SURPRISAL, 1) * MAX_PERCENT).toFixed(1)}%`;

// Spaces and new lines as symbols; a line may still break before a space.
function showSpaces({ special, spelled, text, id }) {
  if (special) return [spelled ?? `#${id}`];
  const pieces = text.replaceAll("\t", "⇥").replaceAll("\n", "⏎\n").split(" ");
  return text === "" ? ["◌"] : pieces.flatMap((piece, place) => (place ? [element("wbr"), `·${piece}`] : [piece]));
}

function createMark(depth) {
  const last = depth === MAX_SURPRISAL ? " or less" : "";
  return element("span", {}, `${depth ? "−" : ""}${depth}`, element("br"), `${formatPercent(-depth)}${last}`);
}

// A listbox with one tab stop and arrow keys; the selected token's details are beside it.
function createStrip(host, facts) {
  let list = null;
  let chosen = null; // by the user
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
      role: "option", translate: "no", tabindex: list.children.length ? "-1" : "0", "aria-selected": "false",
      class: token.special ? "token special" : "token", "data-text": token.text, "data-logprob": token.logprob,
      "aria-label": translate(`Token ${token.index}: ${quote(token)}, log-probability ${formatLogprob(token.logprob)}, ${formatPercent(token.logprob)}`),
    }, ...showSpaces(token));
    option.style.setProperty("--heat", colourOf(token.logprob));
    tokens.set(option, token);
    list.append(option);
  }

  function begin() {
    const listbox = element("div", { role: "listbox", "aria-label": "Tokens of the answer", "aria-orientation": "horizontal" });
    for (const event of ["focusin", "click", "mouseover"]) listbox.addEventListener(event, ({ target }) => choose(target, true));
    listbox.addEventListener("keydown", move);
    host.replaceChildren(listbox);
    return listbox;
  }

  function move(event) {
    const options = [...list.children];
    const from = options.indexOf(event.target);
    const to = { Home: 0, End: options.length - 1 }[event.key] ?? (event.key in STEPS ? from + STEPS[event.key] : null);
    if (to === null) return;
    event.preventDefault();
    options[to]?.focus();
  }

  function choose(option, byUser) {
    if (!tokens.has(option)) return;
    for (const each of list.children) {
      each.setAttribute("aria-selected", each === option);
      each.tabIndex = each === option ? 0 : -1;
    }
    chosen = byUser ? option : chosen;
    facts.replaceChildren(...showFacts(tokens.get(option)));
  }

  // Unless the user has chosen another, the least likely token is selected.
  function finish() {
    if (!list) host.replaceChildren(element("p", { class: "placeholder" }, "No tokens arrived."));
    else if (!chosen) choose([...tokens.keys()].reduce((a, b) => (tokens.get(b).logprob < tokens.get(a).logprob ? b : a)), false);
  }

  return { clear, add, finish };
}

function showFacts(token) {
  const facts = listFacts(token);
  const others = token.top.map((each) => {
    const bar = element("span", { class: "bar", "aria-hidden": "true" });
    bar.style.setProperty("--share", `${(Math.exp(each.logprob) * 100).toFixed(1)}%`);
    const text = element("code", {}, each.special ? each.text : JSON.stringify(each.text));
    return element("li", { class: each.id === token.id ? "taken" : null }, text, bar, element("span", {}, formatPercent(each.logprob)));
  });
  return [
    element("dl", {}, ...FACTS.flatMap((name, at) => [element("dt", {}, name), element("dd", {}, facts[at])])),
    element("p", {}, "The most likely tokens here; the chosen one is bold:"), element("ol", {}, ...others),
  ];
}

function createTable(button, host) {
  button.addEventListener("click", () => {
    host.hidden = !host.hidden;
    button.setAttribute("aria-pressed", String(!host.hidden));
  });
  return { fill: (tokens) => fillTable(host, "Every token of the answer", FACTS, tokens.map(listFacts)) };
}
