// Station 2: its table once more above the panes, for as long as these show the example.
"use strict";

import { element } from "../shared/dom.js";

const find = (id) => document.getElementById(id);

export function mount() {
  const beside = element("aside", { id: "example-beside", class: "station", "aria-label": "1,000 tokens at 100 tokens/s: predicted and measured" });
  find("panes").before(beside);
  const turn = (on) => document.body.toggleAttribute("data-example", on);
  const mirror = () => {
    const parts = find("example").querySelectorAll(".verdict, .scroll");
    beside.replaceChildren(...Array.from(parts, (part) => part.cloneNode(true)));
  };
  const observe = (id, hear) => new MutationObserver(hear).observe(find(id), { childList: true, characterData: true, subtree: true });
  observe("example", mirror);
  observe("question", () => turn(find("question").textContent === find("example-question").textContent));
  // Ahead of the page's own listener, which scrolls to the panes: the table takes its place before that.
  window.addEventListener("click", ({ target }) => {
    if (target.closest?.("#example-run") && !document.body.hasAttribute("data-racing")) turn(true);
  }, true);
  mirror();
}
