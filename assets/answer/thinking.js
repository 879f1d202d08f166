// What a model thought before it answered: folded, and labelled.
"use strict";

import { Blocks } from "./blocks.js";

// {append(text), end()}: on the page, in `host`, once there is something to read.
export function createThinking(host) {
  const details = document.createElement("details");
  details.className = "thinking";
  const summary = document.createElement("summary");
  summary.textContent = "Thinking …";
  const body = document.createElement("div");
  details.append(summary, body);
  const blocks = new Blocks(body);
  return {
    append(text) {
      const thought = details.parentNode ? text : text.trimStart();
      if (!thought) return;
      if (!details.parentNode) host.append(details);
      blocks.append(thought);
    },
    end() {
      blocks.end();
      summary.textContent = "Thinking";
    },
  };
}
