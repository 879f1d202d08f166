// What the page does when its connection is lost: it says so, stops its clocks and keeps the text. Once the server is back
// it goes on, or, where Gradio's event stream is gone, offers a reload.

import { eventStream } from "./event_stream.js";
import { anyRunning, pauseClocks, resumeClocks, write } from "./heads.js";
import { paneOf } from "./panes.js";

const SILENCE_MS = 1200; // without a message during a race, until the server is asked whether it is there
const TIMEOUT_MS = 1000; // of that request
const CHECK_MS = 250;
const RETRY_MS = 1000;
const LOST = "Connection lost: what came so far stays.";
const RESTORED = "The connection was lost, and the server is back: what came so far stays until you reload the page. ";

const find = (id) => document.getElementById(id);
let lost = false;

eventStream.onBroken = handleLoss;
eventStream.onRefused = writeMessage;
if (eventStream.broken) handleLoss();
checkSilence();

async function checkSilence() {
  const silent = performance.now() - eventStream.lastMessage > SILENCE_MS;
  if (!lost && silent && anyRunning() && !document.hidden) {
    if (!(await isReachable())) handleLoss();
    eventStream.lastMessage = performance.now();
  }
  setTimeout(checkSilence, CHECK_MS);
}

async function handleLoss() {
  if (lost) return;
  lost = true;
  paneOf("streamed")?.painter.flush();
  pauseClocks();
  document.body.removeAttribute("data-racing");
  showMessage(LOST);
  while (!(await isReachable())) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  lost = false;
  handleReturn();
}

// A file is asked for, since /health says 503 while the model loads. A new version of the server has no file of this name, and
// a proxy whose server is gone answers with an error of its own.
async function isReachable() {
  try {
    const options = { method: "HEAD", cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) };
    return (await fetch(import.meta.url, options)).status < 500;
  } catch {
    return false;
  }
}

function handleReturn() {
  if (eventStream.broken && !find("question")?.textContent) return reload();
  if (eventStream.broken) {
    showMessage(RESTORED);
    const button = Object.assign(document.createElement("button"), { id: "reload", className: "link", textContent: "Reload", onclick: reload });
    find("message").append(button);
    return;
  }
  resumeClocks();
  document.body.toggleAttribute("data-racing", anyRunning());
  showMessage("");
}

function writeMessage(sentence) {
  write(find("message"), sentence);
  find("message")?.parentElement.toggleAttribute("data-empty", sentence === "");
}

function showMessage(sentence) {
  writeMessage(sentence);
  for (const button of document.querySelectorAll("#buttons button, .chip")) button.disabled = sentence !== "";
}

function reload() {
  const prompt = document.querySelector("#prompt textarea")?.value || find("question")?.textContent;
  if (prompt) history.replaceState(null, "", `#${new URLSearchParams({ prompt })}`);
  location.reload();
}
