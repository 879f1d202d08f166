// The list of sections, and what an address asks of the browser: where to scroll to, and how the page looks.
"use strict";

import { goTo, present, presenting } from "./presenter.js";

export function mount(root) {
  for (const link of root.querySelectorAll("a")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      goTo(link);
    });
  }
  root.querySelector("#presenter").addEventListener("click", () => present(!presenting()));
  const asked = new URLSearchParams(location.hash.slice(1));
  if (asked.has("present")) present(true);
  const link = root.querySelectorAll("a")[Number(asked.get("station")) - 1];
  if (link) goTo(link);
}
