// A connection that was cut: it is said, the clocks stop, and what came so far stays. With its event stream Gradio's
// client has gone; then a reload brings the page back, which the visitor asks for.
"use strict";

import { anyRunning, pause, resume, write } from "./heads.js";
import { paneOf } from "./panes.js";

const LOST = "Connection lost: what came so far stays.";
const BACK = "The connection was lost, and the server is back: what came so far stays until you reload the page. ";

const find = (id) => document.getElementById(id);

window.tokenStreaming.watchConnection({ isRacing: anyRunning, onLost: lose, onBack: comeBack });

function lose() {
  paneOf("streamed")?.painter.hurry();
  pause();
  document.body.removeAttribute("data-racing");
  say(LOST);
}

function comeBack(broken) {
  if (broken && !find("question")?.textContent) return reload();
  if (broken) {
    say(BACK);
    const button = Object.assign(document.createElement("button"), { id: "reload", className: "link", textContent: "Reload", onclick: reload });
    find("message").append(button);
    return;
  }
  resume();
  document.body.toggleAttribute("data-racing", anyRunning());
  say("");
}

function say(sentence) {
  write(find("message"), sentence);
  find("message")?.parentElement.toggleAttribute("data-empty", sentence === "");
  for (const button of document.querySelectorAll("#buttons button, .chip")) button.disabled = sentence !== "";
}

function reload() {
  const prompt = document.querySelector("#prompt textarea")?.value || find("question")?.textContent;
  if (prompt) history.replaceState(null, "", `#${new URLSearchParams({ prompt })}`);
  location.reload();
}
