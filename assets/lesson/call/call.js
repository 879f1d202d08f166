// Programs that call the API, with this server's address, some of which run here; and the tokens of an answer.

import { copy, element, describeError, bindRun, keepEndInSight } from "../shared/dom.js";
import { mountTokens } from "./tokens.js";
import { RUNNERS } from "./runners.js";
import { address } from "../shared/stream.js";

const PRINTED_ADDRESS = "http://127.0.0.1:7860";
const PYTHON = "Python does not run in a browser: save it as a file and run it after";
const NODE = "It needs a package, which this page does not load from elsewhere: save it as an .mjs file and run it in Node after";
const HUB = `${PYTHON} pip install huggingface_hub.`;
const INFERENCE = `${NODE} npm install @huggingface/inference@`;

// Each program's label, and a note on it.
const LABELS = {
  "curl": ["curl", "In a browser: the same request, sent by this browser, and the stream as it arrives."],
  "python": ["Python", HUB],
  "python-details": ["Python, details", HUB],
  "python-async": ["Python, async", HUB],
  "python-chat": ["Python, chat", HUB],
  "openai": ["Python, openai", `${PYTHON} pip install openai.`],
  "js": ["JavaScript", `${INFERENCE}4.`],
  "js-chat": ["JavaScript, chat", `${INFERENCE}4.`],
  "js-old": ["JavaScript, 2.6", `${INFERENCE}2.6.`],
  "fetch": ["JavaScript, fetch", "In a browser: paste it into this page's console. It logs the text so far with each token; below, only what is new is added."],
  "python-retry": ["Python, retry", HUB],
  "eventsource": ["JavaScript, EventSource", "In a browser: paste it into this page's console. EventSource reconnects by itself, until it is closed."],
  "polling": ["Polling", `${PYTHON} pip install httpx.`],
  "webhook": ["Webhook", `${PYTHON} pip install httpx.`],
};

export async function mount(root) {
  const find = (name) => root.querySelector(`#call-${name}`);
  mountTokens(root);
  try {
    const snippets = await (await fetch(new URL("../../snippets.json", import.meta.url))).json();
    const here = address(".").replace(/\/$/, "");
    mountPrograms(find, snippets.map((snippet) => ({ ...snippet, text: snippet.text.replaceAll(PRINTED_ADDRESS, here) })));
  } catch (error) {
    find("status").textContent = describeError(error);
  }
}

function mountPrograms(find, programs) {
  let current = programs[0];
  const control = { begin: find("run"), stop: find("stop"), status: find("status") };
  const [panel, output] = [find("panel"), find("output")];

  const tabs = programs.map((program) => element("button", {
    type: "button", role: "tab", id: `call-tab-${program.name}`, "aria-controls": "call-panel", translate: "no", onclick: () => show(program),
  }, LABELS[program.name]?.[0] ?? program.name));
  find("tabs").append(...tabs);
  find("tabs").addEventListener("keydown", (event) => {
    const to = moveTo(event.key, programs.indexOf(current), programs.length);
    if (to === null) return;
    event.preventDefault();
    show(programs[to]);
    tabs[to].focus();
  });

  function show(program) {
    control.stop.click();
    current = program;
    tabs.forEach((tab, place) => {
      tab.setAttribute("aria-selected", programs[place] === program);
      tab.tabIndex = programs[place] === program ? 0 : -1;
    });
    panel.setAttribute("aria-labelledby", `call-tab-${program.name}`);
    find("text").textContent = program.text;
    find("note").textContent = LABELS[program.name]?.[1] ?? "";
    control.begin.hidden = control.stop.hidden = !RUNNERS[program.name];
    output.hidden = true;
    control.status.textContent = "";
    control.status.classList.remove("wrong");
  }

  bindRun(control, async (signal) => {
    const program = current;
    // Output that arrives after another program has been chosen is dropped.
    const print = (text) => { if (program === current) keepEndInSight(output, () => output.append(text)); };
    output.replaceChildren();
    output.hidden = false;
    control.status.textContent = "Running …";
    await RUNNERS[program.name](print, signal);
    control.status.textContent = "Done.";
  });
  find("copy").addEventListener("click", () => copy(current.text, find("copy")));
  show(current);
}

// The index of the tab that a key moves to; null for other keys.
function moveTo(key, from, count) {
  const steps = { ArrowRight: from + 1, ArrowLeft: from - 1 + count, Home: 0, End: count - 1 };
  return key in steps ? steps[key] % count : null;
}
