// Station 2: a copy of its table above the panes while they show the example.

import { element } from "../shared/dom.js";

const find = (id) => document.getElementById(id);

export function mount() {
  const copy = element("aside", { id: "example-beside", class: "station", "aria-label": "1,000 tokens at 100 tokens/s: predicted and measured" });
  find("panes").before(copy);
  const setShown = (on) => document.body.toggleAttribute("data-example", on);
  const mirror = () => {
    const parts = find("example").querySelectorAll(".verdict, .scroll");
    copy.replaceChildren(...Array.from(parts, (part) => part.cloneNode(true)));
  };
  const observe = (id, listener) => new MutationObserver(listener).observe(find(id), { childList: true, characterData: true, subtree: true });
  observe("example", mirror);
  observe("question", () => setShown(find("question").textContent === find("example-question").textContent));
  // Before the page's own listener, which scrolls to the panes: the table takes up space above them.
  window.addEventListener("click", ({ target }) => {
    if (target.closest?.("#example-run") && !document.body.hasAttribute("data-racing")) setShown(true);
  }, true);
  mirror();
}
