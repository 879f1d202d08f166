// What a measurement will take here, said before it is begun: how much is asked for, and about how long that takes at the
// speed that is known.
"use strict";

import { sayCount, sayRate } from "./dom.js";
import { watchRate } from "./rate.js";
import { ask } from "./stream.js";

// Keeps `host` saying it: whenever one of `inputs` is turned, `show` is called or `root` comes into view. `count()` is
// {requests, tokens, pace}: `pace`, if any, is the rate in tokens/s that is not exceeded. `learn(sample, pace)` tells how
// fast a request of one's own was answered, which counts more than what the page or the server says of itself.
export function tiePlan(root, host, inputs, count) {
  const learned = new Map(); // tokens/s by pace
  let rate = null;
  let served = null;
  const show = () => {
    const { requests, tokens, pace = null } = count();
    host.textContent = sayPlan(requests, tokens, predict(pace, learned.get(pace), rate, served));
  };
  for (const input of inputs) input.addEventListener("input", show);
  new IntersectionObserver(async ([entry]) => {
    if (!entry.isIntersecting) return;
    served = await readRate();
    show();
  }).observe(root);
  watchRate((read) => {
    rate = read;
    show();
  });
  return {
    show,
    learn({ total, tokens }, pace = null) {
      if (tokens) learned.set(pace, tokens / total);
      show();
    },
  };
}

// {rate, whose}: how fast tokens will come, and where that is known from; null where it is not.
function predict(pace, learned, own, served) {
  if (learned !== undefined) return { rate: learned, whose: "measured last, by this browser's clock" };
  const [rate, whose] = own !== null ? [own, "that this machine's model makes"] : [served, "that this server has had so far, by its own clock"];
  if (pace !== null && (rate === null || rate > pace)) return { rate: pace, whose: "asked for" };
  return rate === null ? null : { rate, whose };
}

function sayPlan(requests, tokens, known) {
  const amount = `${sayCount(requests)} requests, ${sayCount(tokens)} tokens in all`;
  if (known === null) return `${amount}. How long that takes here is said as soon as the first has been measured.`;
  return `${amount}: about ${sayAbout(tokens / known.rate)} here, at the ${sayRate(known.rate)} tokens/s ${known.whose}.`;
}

// Tokens a second by this server's own clock, the mean of all its answers; null where it has given none.
async function readRate() {
  const text = await ask("/metrics").then((response) => response.text(), () => "");
  const read = (end) => Number(text.match(new RegExp(`^tgi_request_mean_time_per_token_duration_${end} (\\S+)`, "m"))?.[1] ?? 0);
  const [sum, count] = [read("sum"), read("count")];
  return count > 0 && sum > 0 ? count / sum : null;
}

// "8 s", "1 min 50 s": no more exact than an estimate is.
export function sayAbout(seconds) {
  if (seconds < 59.5) return `${Math.max(1, Math.round(seconds))} s`;
  const tens = Math.round(seconds / 10);
  const rest = (tens % 6) * 10;
  return `${Math.floor(tens / 6)} min${rest ? ` ${rest} s` : ""}`;
}
