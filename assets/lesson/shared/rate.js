// How many tokens a second this machine's model makes, which the page shows beside the race's speeds.

// Calls `listener(rate)` now and on every change; null while the rate is unknown.
export function watchModelRate(listener) {
  const speeds = document.getElementById("speed");
  const read = () => {
    const found = speeds?.textContent.match(/Real speed · (\d+) tokens/);
    listener(found ? Number(found[1]) : null);
  };
  if (speeds) new MutationObserver(read).observe(speeds, { childList: true, characterData: true, subtree: true });
  read();
}
