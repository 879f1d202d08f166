// One request as this browser saw it: when the first text came, when the last. Seconds of this browser's clock.
"use strict";

import { ask, generateStreamed, generateWhole, readAnswer } from "./stream.js";

export const PROMPT = "Once upon a time, in a small village by the sea,"; // demo/bench asks the same

// The same for both modes: PROMPT itself, greedy, past the end token, so that an answer is as long as was asked for, and with
// the prompt computed each time: else the first of two equal requests would be the slower one.
export const parameters = (length) => ({
  max_new_tokens: length, do_sample: false, ignore_eos: true, raw: true, cache_prompt: false, details: true,
});

const write = (length) => ({ inputs: PROMPT, parameters: parameters(length) });

// {mode, tokens, ttft, total, text}; `mode` is "streamed" or "whole", `tokens` how many came.
export async function measure(mode, length, signal) {
  if (mode === "streamed") {
    const told = await generateStreamed(write(length), { signal });
    return { ...sumUpStream(told), ttft: since(told.asked, told.first), total: since(told.asked, told.end) };
  }
  const { asked, end, text, details } = await generateWhole(write(length), { signal });
  const total = since(asked, end);
  return { mode, tokens: details.generated_tokens, ttft: text ? total : null, total, text }; // no text before the end
}

// The same without `ttft` and without the page's own work: the browser gathers the reply, in both modes alike, and the page
// looks at it after its last byte.
export async function measureTotal(mode, length, signal) {
  const path = mode === "streamed" ? "/generate_stream" : "/generate";
  const asked = performance.now();
  const response = await ask(path, { method: "POST", body: write(length), signal });
  const gathered = new Response(await response.blob());
  const total = since(asked, performance.now());
  if (mode === "streamed") return { ...sumUpStream(await readAnswer(gathered)), total };
  const { generated_text: text, details } = await gathered.json();
  return { mode, tokens: details.generated_tokens, total, text };
}

function sumUpStream({ tokens, details }) {
  if (details === null) throw new Error("The stream broke off before its end: try again.");
  return { mode: "streamed", tokens: tokens.length, text: tokens.map((token) => token.text).join("") };
}

const since = (asked, at) => (at === null ? null : (at - asked) / 1000);

// How many new tokens this server takes after PROMPT.
export async function findRoom(signal) {
  const { max_total_tokens: most } = await (await ask("/info", { signal })).json();
  const pieces = await (await ask("/tokenize", { method: "POST", body: { inputs: PROMPT }, signal })).json();
  return { most, prompt: pieces.length, room: most - pieces.length };
}
