// One measured request: when its first and its last text came. Seconds on this browser's clock.

import constants from "../../constants.js";
import { ask, generateStreamed, generateWhole, readAnswer } from "./stream.js";

const PROMPT = constants.sample_prompt;
// The same in both modes: raw, computed anew each time, greedy, and past the end token, so that the answer is as long as
// requested.
const FIXED = { do_sample: false, ignore_eos: true, raw: true, details: true, cache_prompt: false };

function createRequest(length, pace = null) {
  const limit = pace === null ? {} : { max_tokens_per_second: pace };
  return { inputs: PROMPT, parameters: { max_new_tokens: length, ...FIXED, ...limit } };
}

// {mode, tokens, ttft, total, text}; `tokens` is how many came.
export async function measure(mode, length, signal) {
  if (mode === "streamed") {
    const answer = await generateStreamed(createRequest(length), { signal });
    return { ...summarize(answer), ttft: since(answer.asked, answer.first), total: since(answer.asked, answer.end) };
  }
  const { asked, end, text, details } = await generateWhole(createRequest(length), { signal });
  const total = since(asked, end);
  return { mode, tokens: details.generated_tokens, ttft: text ? total : null, total, text }; // no text before the end
}

// The same without `ttft` and without the page's own work: the browser buffers the reply, which is read after its last byte.
export async function measureTotal(mode, { length, pace }, signal) {
  const path = mode === "streamed" ? "/generate_stream" : "/generate";
  const asked = performance.now();
  const response = await ask(path, { method: "POST", body: createRequest(length, pace), signal });
  const buffered = new Response(await response.blob());
  const total = since(asked, performance.now());
  if (mode === "streamed") return { ...summarize(await readAnswer(buffered)), total };
  const { generated_text: text, details } = await buffered.json();
  return { mode, tokens: details.generated_tokens, total, text };
}

function summarize({ tokens, details }) {
  if (details === null) throw new Error("The stream broke off before its end: try again.");
  return { mode: "streamed", tokens: tokens.length, text: tokens.map((token) => token.text).join("") };
}

const since = (asked, at) => (at === null ? null : (at - asked) / 1000);

// How many new tokens this server takes after PROMPT.
export async function fetchTokenLimits(signal) {
  const { max_total_tokens: limit } = await (await ask("/info", { signal })).json();
  const tokens = await (await ask("/tokenize", { method: "POST", body: { inputs: PROMPT }, signal })).json();
  return { limit, prompt: tokens.length, available: limit - tokens.length };
}
