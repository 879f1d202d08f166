// What a measurement will take here, said before it is begun: how much is asked for, and about how long that takes at the
// pace that has been measured.
"use strict";

import { sayCount, sayRate } from "./dom.js";
import { ask } from "./stream.js";

// Keeps `host` saying it: whenever one of `inputs` is turned or `root` comes into view. `count()` is {requests, tokens}.
// `learn(sample)` tells the pace that a request of one's own had, which counts more than the server's so far.
export function tiePlan(root, host, inputs, count) {
  let pace = null;
  let own = false;
  const show = () => { host.textContent = sayPlan(count(), pace, own); };
  for (const input of inputs) input.addEventListener("input", show);
  new IntersectionObserver(async ([entry]) => {
    if (!entry.isIntersecting || own) return;
    const read = await readPace();
    if (!own) pace = read;
    show();
  }).observe(root);
  show();
  return {
    learn({ total, tokens }) {
      if (!tokens) return;
      pace = total / tokens;
      own = true;
      show();
    },
  };
}

function sayPlan({ requests, tokens }, pace, own) {
  const amount = `${sayCount(requests)} requests, ${sayCount(tokens)} tokens in all`;
  if (pace === null) return `${amount}. How long that takes here is said as soon as the first has been measured.`;
  const whose = own ? "measured last, by this browser's clock" : "that this server has had so far, by its own clock";
  return `${amount}: about ${sayAbout(tokens * pace)} here, at the ${sayRate(1 / pace)} tokens/s ${whose}.`;
}

// Seconds for a token by this server's own clock, the mean of all its answers; null where it has given none.
async function readPace() {
  const text = await ask("/metrics").then((response) => response.text(), () => "");
  const read = (end) => Number(text.match(new RegExp(`^tgi_request_mean_time_per_token_duration_${end} (\\S+)`, "m"))?.[1] ?? 0);
  const [sum, count] = [read("sum"), read("count")];
  return count > 0 && sum > 0 ? sum / count : null;
}

// "8 s", "1 min 50 s": no more exact than an estimate is.
export function sayAbout(seconds) {
  if (seconds < 59.5) return `${Math.max(1, Math.round(seconds))} s`;
  const tens = Math.round(seconds / 10);
  const rest = (tens % 6) * 10;
  return `${Math.floor(tens / 6)} min${rest ? ` ${rest} s` : ""}`;
}
