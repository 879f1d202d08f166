// A model's thinking before its answer: collapsed, with a label.

import { Blocks } from "./blocks.js";

// {append(text), end()}; the element is added to `host` with the first text.
export function createThinking(host) {
  const details = document.createElement("details");
  details.className = "thinking";
  const summary = document.createElement("summary");
  summary.translate = true; // in an answer, which is not
  summary.textContent = "Thinking …";
  const body = document.createElement("div");
  details.append(summary, body);
  const blocks = new Blocks(body);
  return {
    append(text) {
      const added = details.parentNode ? text : text.trimStart();
      if (!added) return;
      if (!details.parentNode) host.append(details);
      blocks.append(added);
    },
    end() {
      blocks.end();
      summary.textContent = "Thinking";
    },
  };
}
