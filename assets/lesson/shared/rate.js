// How many tokens a second this machine's model makes, as the page tells it with the race's speeds.
"use strict";

// Calls `tell(rate)` now and whenever the page tells another; null while it is not known.
export function watchRate(tell) {
  const speeds = document.getElementById("speed");
  const read = () => {
    const said = speeds?.textContent.match(/Real speed · (\d+) tokens/);
    tell(said ? Number(said[1]) : null);
  };
  if (speeds) new MutationObserver(read).observe(speeds, { childList: true, characterData: true, subtree: true });
  read();
}
