// The plan of a measurement, shown before it begins: how many requests and tokens, and about how long they take here.

import { formatCount, formatRate } from "./format.js";
import { ask } from "./stream.js";

// Calls `listener(rate)` now and on every change: how many tokens a second this machine's model makes, as the page shows beside
// the race's speeds; null while that is unknown.
export function watchModelRate(listener) {
  const speeds = document.getElementById("speed");
  const read = () => {
    const found = speeds.textContent.match(/Real speed · (\d+) tokens/);
    listener(found ? Number(found[1]) : null);
  };
  new MutationObserver(read).observe(speeds, { childList: true, characterData: true, subtree: true });
  read();
}

// Keeps the plan in `host` up to date. `count()` is {requests, tokens, pace}; `pace` is a limit in tokens/s, if any.
// `learn(sample, pace)` takes the rate from one of the measurement's own requests, which is the best estimate.
export function bindPlan(root, host, inputs, count) {
  const learned = new Map(); // tokens/s by pace
  let modelRate = null;
  let serverRate = null;
  const show = () => {
    const { requests, tokens, pace = null } = count();
    host.textContent = describePlan(requests, tokens, estimateRate(pace, learned.get(pace), modelRate, serverRate));
  };
  for (const input of inputs) input.addEventListener("input", show);
  new IntersectionObserver(async ([entry]) => {
    if (!entry.isIntersecting) return;
    serverRate = await fetchRate();
    show();
  }).observe(root);
  watchModelRate((rate) => {
    modelRate = rate;
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

// {rate, source}, or null while nothing is known.
function estimateRate(pace, learned, modelRate, serverRate) {
  if (learned !== undefined) return { rate: learned, source: "measured last, by this browser's clock" };
  const [rate, source] = modelRate !== null
    ? [modelRate, "that this machine's model makes"]
    : [serverRate, "that this server has had so far, by its own clock"];
  if (pace !== null && (rate === null || rate > pace)) return { rate: pace, source: "asked for" };
  return rate === null ? null : { rate, source };
}

function describePlan(requests, tokens, known) {
  const amount = `${formatCount(requests)} requests, ${formatCount(tokens)} tokens in all`;
  if (known === null) return `${amount}. How long that takes here is said as soon as the first has been measured.`;
  return `${amount}: about ${formatEstimate(tokens / known.rate)} here, at the ${formatRate(known.rate)} tokens/s ${known.source}.`;
}

// The mean rate of all answers by the server's clock; null before the first.
async function fetchRate() {
  const text = await ask("/metrics").then((response) => response.text(), () => "");
  const read = (end) => Number(text.match(new RegExp(`^tgi_request_mean_time_per_token_duration_${end} (\\S+)`, "m"))?.[1] ?? 0);
  const [sum, count] = [read("sum"), read("count")];
  return count > 0 && sum > 0 ? count / sum : null;
}

// "8 s", "1 min 50 s"
export function formatEstimate(seconds) {
  if (seconds < 59.5) return `${Math.max(1, Math.round(seconds))} s`;
  const tens = Math.round(seconds / 10);
  const rest = (tens % 6) * 10;
  return `${Math.floor(tens / 6)} min${rest ? ` ${rest} s` : ""}`;
}
