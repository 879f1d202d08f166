// The theme, before anything is shown: as the address says, else as the system does.
"use strict";

(() => {
  const asked = new URLSearchParams(location.search).get("__theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => document.body.classList.toggle("dark", asked === "dark" || (asked !== "light" && system.matches));
  apply();
  system.addEventListener("change", apply);
})();
