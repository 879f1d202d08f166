// A model's thinking before its answer: collapsed, with a label.

import { element } from "../lesson/shared/dom.js";
import { Blocks } from "./blocks.js";

// {append(text), end()}; the element is added to `host` with the first text.
export function createThinking(host) {
  const summary = element("summary", { translate: "yes" }, "Thinking …"); // in an answer, which is not
  const body = element("div");
  const details = element("details", { class: "thinking" }, summary, body);
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
