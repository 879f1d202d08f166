// Asks before a measurement spends the visitor's quota: where the server says that runs cost quota, the first press of a
// button only says what it costs, and the second begins. `window.confirm` is closed to a page inside another's frame.

import { ask } from "./stream.js";

const WAIT_MS = 8000; // for the second press

let known = null;

async function costsQuota() {
  known ??= ask("/info").then((response) => response.json()).then((info) => info.costs_quota === true);
  return known.catch(() => {
    known = null;
    return false; // the measurement's own request says what is wrong
  });
}

// Returns `confirm()`, which resolves to whether a press may begin: at once where nothing is spent.
// `count()` is how many runs it makes.
export function bindQuota(status, count) {
  let asked = null;
  return async () => {
    if (!(await costsQuota())) return true;
    if (asked !== null) {
      clearTimeout(asked);
      asked = null;
      return true;
    }
    const question = `This makes ${count()} runs, each on GPU time of your Hugging Face account. Press again to spend it.`;
    status.textContent = question;
    const shown = status.firstChild;
    asked = setTimeout(() => {
      asked = null;
      if (status.firstChild === shown) status.textContent = ""; // another button may have begun meanwhile
    }, WAIT_MS);
    return false;
  };
}
