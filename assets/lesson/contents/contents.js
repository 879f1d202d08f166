// The list of sections, and a link's parameters for the browser: `station` to scroll to, `present` for the presenter view.

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
  else if (sessionStorage.getItem("room")) goTo(root.querySelector("[href='#station-room']")); // reloaded while its room is open
}
