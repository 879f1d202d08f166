// The two panes: text painted when it is due, the fields around it, copying, raw text, and scrolling that follows the text.
// Gradio sends values, which are written as text, never as markup.

import { createAnswer } from "../answer/markdown.js";
import constants from "../constants.js";
import { copy, element, follow } from "../lesson/shared/dom.js";
import { formatCount } from "../lesson/shared/format.js";
import { SIDES, anyRunning, markArrival, markPaint, setState, updateClocks, write } from "./heads.js";
import { translate } from "./language.js";
import { createPainter } from "./painter.js";

const NEAR_END = 48; // px
const panes = {}; // by side, once mounted
const pastAnswers = {}; // by side

export const paneOf = (side) => panes[side];

// One side of the race: `host` holds its text; its fields stand anywhere in its pane.
// Way 22: The browser gets the value, and drops one that is older than what it shows
export function mountPane(host, props, watch) {
  const root = host.firstElementChild;
  const mounted = panes[root.id.split("-")[0]] = createPane(root);
  let number = 0;
  const update = () => {
    const value = props.value ?? {};
    // Gradio may deliver the last value of a race after the first of the next.
    if ((value.number ?? 0) < number) return;
    number = value.number ?? 0;
    mounted.update(value);
  };
  requestAnimationFrame(update); // the fields may be attached after this
  watch("value", update);
}

// The earlier turns: [{question, text, parts, note}].
export function mountPast(host, props, watch) {
  const side = host.closest(".pane").id.split("-")[0];
  const raw = document.getElementById(`${side}-raw`);
  follow(watch, () => {
    const turns = (props.value ?? []).map(createTurn);
    for (const { answer } of turns) answer?.showRaw(raw.getAttribute("aria-pressed") === "true");
    host.firstElementChild.replaceChildren(...turns.flatMap(({ nodes }) => nodes));
    pastAnswers[side] = turns.map(({ answer }) => answer).filter(Boolean);
  });
}

function createTurn({ question, text, parts, note }) {
  const asked = element("p", { class: "question", dir: "auto", translate: "no" }, question);
  const host = element("div", { class: "answer" });
  if (!text) {
    host.append(element("em", {}, note));
    return { nodes: [asked, host] };
  }
  const answer = createAnswer(host);
  answer.append(text, parts);
  answer.end();
  host.translate = false;
  const button = element("button", { type: "button", class: "link", onclick: () => copy(text, button) }, "Copy");
  return { nodes: [asked, host, button], answer };
}

function createPane(root) {
  const side = root.id.split("-")[0];
  const pane = root.closest(".pane");
  const head = pane.querySelector(".pane-head");
  const answer = createAnswer(root);
  const scrolling = followEnd(root.closest(".pane-body"), constants.titles[side]);
  const paints = []; // [this browser's clock in ms, tokens shown]
  const painter = createPainter(show);
  let state = null;
  let shown = "";
  let parts = ""; // of the text: reasoning, marks, answer
  let pending = null; // the value that the fields do not show yet

  // Scrolling comes last: it needs the layout, which every write invalidates.
  // Way 25: The new text is added to the page, and its end is kept in sight
  function show(text, count) {
    const added = text.slice(shown.length);
    const first = shown === "" && added !== "";
    scrolling.detectScroll();
    answer.append(added, parts);
    shown = text;
    paints.push([performance.now(), count]);
    if (pending) writeFields();
    if (side === "streamed" && count) write(document.getElementById(`${side}-tokens`), formatCount(count));
    updateClocks();
    if (first) showFirst();
    if (added) scrolling.toEnd();
  }

  function showFirst() {
    markArrival(side);
    if (document.hidden) markPainted(); // no frame will come
    else requestAnimationFrame(() => setTimeout(markPainted)); // right after the frame that paints it
  }

  function markPainted() {
    root.dataset.paintedAt = String(performance.timeOrigin + performance.now());
    markPaint(side);
  }

  function clear() {
    painter.reset();
    answer.clear();
    paints.length = 0;
    shown = "";
    scrolling.reset();
  }
  // Way 23: The pane passes text and schedule to the painter, and fills the fields around the text
  function update(value) {
    const { text = "", schedule = "", active } = value;
    if (!text.startsWith(shown) || (value.state === "queued" && state !== "queued")) clear();
    pending = value;
    parts = value.parts ?? "";
    painter.feed(text, schedule);
    if (!active) painter.finish(text);
    // While text grows, the fields change with it: a frame of their own would cost as much as the text's.
    if (pending && !(value.state === "writing" && state === "writing")) writeFields();
    if (value.state !== state) changeState(value);
  }

  function writeFields() {
    for (const field of pane.querySelectorAll("[data-field]")) {
      if (pending.active && field.dataset.field === "tokens" && paints.length) continue; // as many as are painted
      write(field, String(pending[field.dataset.field] ?? ""));
    }
    pending = null;
  }

  function changeState(value) {
    state = root.dataset.state = head.dataset.state = pane.dataset.state = value.state;
    if (!value.active) answer.end();
    for (const name of ["copy", "raw"]) document.getElementById(`${side}-${name}`).disabled = value.active || shown === "";
    setState(side, value);
    announce(side, value);
    markRacing();
    if (!value.active) document.body.toggleAttribute("data-answered", value.state !== "idle");
    document.getElementById("complete").hidden = !value.cut || anyRunning();
    if (value.state === "queued") requestAnimationFrame(scrolling.toEnd); // Gradio may render the earlier turns after this
  }

  pane.addEventListener("click", ({ target }) => {
    if (target.id === `${side}-copy`) copy(answer.text, target);
    if (target.id === `${side}-raw`) {
      const raw = target.getAttribute("aria-pressed") !== "true";
      target.setAttribute("aria-pressed", String(raw));
      for (const each of [answer, ...(pastAnswers[side] ?? [])]) each.showRaw(raw);
    }
  });
  return { update, clear, painter, paints, head, get text() { return answer.text; } };
}

// Generate and Stop share one place: the one that appears takes the focus of the other.
function markRacing() {
  const racing = anyRunning();
  const focused = document.activeElement;
  document.body.toggleAttribute("data-racing", racing);
  const [from, to] = racing ? ["generate", "stop"] : ["stop", "generate"];
  if (focused?.id === from) document.getElementById(to).focus({ preventScroll: true });
}

// A screen reader announces starts and ends, never a token.
function announce(side, { state, phase, text }) {
  const answer = state === "done" && side === "streamed" ? `: ${text}` : "";
  const said = [constants.titles[side], phase].map(translate).join(" ");
  const announced = ["queued", "done", "stopped", "failed"].includes(state);
  if (announced && !(state === "queued" && side === SIDES[1])) write(document.getElementById("announcer"), `${said}${answer}`);
}

// Keeps the end of the text visible unless the user scrolls up; a button leads back to it.
function followEnd(body, title) {
  body.tabIndex = 0;
  body.setAttribute("role", "region");
  body.setAttribute("aria-label", `${title}, text`);
  const button = element("button", { type: "button", class: "to-end", hidden: true }, "↓ Newest text");
  body.after(button);
  let following = true;
  let position = 0; // where this scrolled to last
  const follow = (flag) => { if (flag !== following) following = button.hidden = flag; };
  const toEnd = () => {
    if (!following) return;
    body.scrollTop = body.scrollHeight;
    position = body.scrollTop;
  };
  const reset = () => { position = 0; follow(true); };
  // The user may have scrolled in this frame, before its event.
  const detectScroll = () => { if (following && body.scrollTop < position - 1) follow(false); };
  body.addEventListener("scroll", () => {
    follow(body.scrollHeight - body.scrollTop - body.clientHeight < NEAR_END);
  }, { passive: true });
  button.addEventListener("click", () => { reset(); toEnd(); body.focus({ preventScroll: true }); });
  return { detectScroll, toEnd, reset };
}
