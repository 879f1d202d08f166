// The two panes: text that is painted as it is due, the fields around it, copy, raw text, and scrolling that follows.
// Gradio sends values; everything is written as text, never as markup.
"use strict";

import { createAnswer } from "../answer/markdown.js";
import { copy, element } from "../lesson/shared/dom.js";
import { SIDES, anyRunning, follow, noteArrival, notePaint, tick, write } from "./heads.js";
import { createPainter } from "./painter.js";

const TITLES = { streamed: "Streaming", whole: "Non-streaming" };
const NEAR_END = 48; // px
const panes = {}; // by side, once both are mounted
const pastAnswers = {}; // by side

export const paneOf = (side) => panes[side];

// One side of the race: its text goes into `place`, the fields around it stand anywhere in its pane.
// Way 21: The browser gets the value, and drops one that is older than what it shows
export function mountPane(place, props, watch) {
  const root = place.firstElementChild;
  const pane = panes[root.id.split("-")[0]] = createPane(root);
  let number = 0;
  const apply = () => {
    const value = props.value ?? {};
    // What Gradio sends last of a race may come after what was sent first of the next one.
    if ((value.number ?? 0) < number) return;
    number = value.number ?? 0;
    pane.update(value);
  };
  // Gradio may put the fields on the page after this.
  requestAnimationFrame(apply);
  watch("value", apply);
}

// The turns before this one: [{question, text, note}].
export function mountPast(place, props, watch) {
  const side = place.closest(".pane").id.split("-")[0];
  const raw = document.getElementById(`${side}-raw`);
  const apply = () => {
    const turns = (props.value ?? []).map(createTurn);
    for (const { answer } of turns) answer?.showRaw(raw.getAttribute("aria-pressed") === "true");
    place.firstElementChild.replaceChildren(...turns.flatMap(({ nodes }) => nodes));
    pastAnswers[side] = turns.map(({ answer }) => answer).filter(Boolean);
  };
  apply();
  watch("value", apply);
}

function createTurn({ question, text, note }) {
  const asked = element("p", { class: "question", dir: "auto" }, question);
  const said = element("div", { class: "answer" });
  if (!text) {
    said.append(element("em", {}, note));
    return { nodes: [asked, said] };
  }
  const answer = createAnswer(said);
  answer.append(text);
  answer.end();
  const button = element("button", { type: "button", class: "link", onclick: () => copy(text, button) }, "Copy");
  return { nodes: [asked, said, button], answer };
}

function createPane(root) {
  const side = root.id.split("-")[0];
  const outside = root.closest(".pane");
  const head = outside.querySelector(".pane-head");
  const answer = createAnswer(root);
  const scroll = followEnd(root.closest(".pane-body"), TITLES[side]);
  const paints = []; // [ms since the request, tokens shown]
  const painter = createPainter(show);
  let state = null;
  let shown = "";
  let told = null; // what the fields are to say, as long as they do not

  // Everything is written before the place of the end is asked for: that lays the page out, once.
  // Way 24: The new text is added to the page, and its end is kept in sight
  function show(text, count) {
    const added = text.slice(shown.length);
    const first = shown === "" && added !== "";
    scroll.heed();
    answer.append(added);
    shown = text;
    paints.push([performance.now(), count]);
    if (told) writeFields();
    if (side === "streamed" && count) write(document.getElementById(`${side}-tokens`), count.toLocaleString("en"));
    tick();
    if (first) showFirst();
    if (added) scroll.toEnd();
  }

  function showFirst() {
    noteArrival(side);
    if (document.hidden) notePainted(); // no frame will come
    else requestAnimationFrame(() => setTimeout(notePainted)); // right after the frame that painted it
  }

  function notePainted() {
    root.dataset.paintedAt = String(performance.timeOrigin + performance.now());
    notePaint(side);
  }

  function clear() {
    painter.reset();
    answer.clear();
    paints.length = 0;
    shown = "";
    scroll.release();
  }

  // Way 22: The pane passes text and schedule to the painter, and fills the fields around the text
  function update(value) {
    const { text = "", schedule = "", active } = value;
    if (!text.startsWith(shown) || (value.state === "queued" && state !== "queued")) clear();
    told = value;
    painter.feed(text, schedule);
    if (!active) painter.finish(text);
    // While text grows, the fields wait for the next of it: a frame of their own would cost as much as the text's.
    if (told && !(value.state === "writing" && state === "writing")) writeFields();
    if (value.state !== state) turn(value);
  }

  function writeFields() {
    for (const field of outside.querySelectorAll("[data-field]")) {
      if (told.active && field.dataset.field === "tokens" && paints.length) continue; // as many as are painted
      write(field, String(told[field.dataset.field] ?? ""));
    }
    told = null;
  }

  function turn(value) {
    state = root.dataset.state = head.dataset.state = outside.dataset.state = value.state;
    if (!value.active) answer.end();
    for (const name of ["copy", "raw"]) document.getElementById(`${side}-${name}`).disabled = value.active || shown === "";
    follow(side, value);
    announce(side, value);
    markRacing();
    if (!value.active) document.body.toggleAttribute("data-answered", value.state !== "idle");
    document.getElementById("complete").hidden = !value.cut || anyRunning();
    if (value.state === "queued") requestAnimationFrame(scroll.toEnd); // Gradio may draw the past turns after this
  }

  outside.addEventListener("click", ({ target }) => {
    if (target.id === `${side}-copy`) copy(answer.text, target);
    if (target.id === `${side}-raw`) {
      const raw = target.getAttribute("aria-pressed") !== "true";
      target.setAttribute("aria-pressed", String(raw));
      for (const each of [answer, ...(pastAnswers[side] ?? [])]) each.showRaw(raw);
    }
  });
  return { update, clear, painter, paints, head, get text() { return answer.text; } };
}

// Generate and Stop are one place: where one of them goes, the other takes the focus.
function markRacing() {
  const racing = anyRunning();
  const focused = document.activeElement;
  document.body.toggleAttribute("data-racing", racing);
  const [from, to] = racing ? ["generate", "stop"] : ["stop", "generate"];
  if (focused?.id === from) document.getElementById(to).focus({ preventScroll: true });
}

// What a screen reader hears: beginnings and ends, never a token.
function announce(side, { state, phase, text }) {
  const said = state === "done" && side === "streamed" ? `: ${text}` : "";
  const telling = ["queued", "done", "stopped", "failed"].includes(state);
  if (telling && !(state === "queued" && side === SIDES[1])) write(document.getElementById("announcer"), `${TITLES[side]} ${phase}${said}`);
}

// Keeps the end of a text in sight unless the reader scrolls; a button leads back to it.
function followEnd(body, title) {
  body.tabIndex = 0;
  body.setAttribute("role", "region");
  body.setAttribute("aria-label", `${title}, text`);
  const button = Object.assign(document.createElement("button"), { type: "button", className: "to-end", hidden: true, textContent: "↓ Newest text" });
  body.after(button);
  let following = true;
  let reached = 0; // where this last scrolled to
  const follow = (flag) => { if (flag !== following) following = button.hidden = flag; };
  const toEnd = () => {
    if (!following) return;
    body.scrollTop = body.scrollHeight;
    reached = body.scrollTop;
  };
  const release = () => { reached = 0; follow(true); };
  // The reader may have scrolled in a frame whose event has not come yet.
  const heed = () => { if (following && body.scrollTop < reached - 1) follow(false); };
  body.addEventListener("scroll", () => {
    follow(body.scrollHeight - body.scrollTop - body.clientHeight < NEAR_END);
  }, { passive: true });
  button.addEventListener("click", () => { release(); toEnd(); body.focus({ preventScroll: true }); });
  return { heed, toEnd, release };
}
