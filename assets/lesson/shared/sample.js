// One request as this browser saw it: when the first text came, when the last. Seconds of this browser's clock.
"use strict";

import { ask, generateStreamed, generateWhole } from "./stream.js";

export const PROMPT = "Once upon a time, in a small village by the sea,"; // demo/bench asks the same

// The same for both modes: PROMPT itself, greedy, and past the end token, so that an answer is as long as was asked for.
export const parameters = (length) => ({ max_new_tokens: length, do_sample: false, ignore_eos: true, raw: true, details: true });

// {mode, tokens, ttft, total, text}; `mode` is "streamed" or "whole", `tokens` how many came.
export async function measure(mode, length, signal) {
  const body = { inputs: PROMPT, parameters: parameters(length) };
  return mode === "streamed" ? measureStreamed(body, signal) : measureWhole(body, signal);
}

async function measureStreamed(body, signal) {
  const told = await generateStreamed(body, { signal });
  if (told.details === null) throw new Error("The stream broke off before its end: try again.");
  const text = told.tokens.map((token) => token.text).join("");
  return { mode: "streamed", tokens: told.tokens.length, ttft: since(told.asked, told.first), total: since(told.asked, told.end), text };
}

// Nothing can be read before the end: the first text comes with the last.
async function measureWhole(body, signal) {
  const { asked, end, text, details } = await generateWhole(body, { signal });
  const total = since(asked, end);
  return { mode: "whole", tokens: details.generated_tokens, ttft: text ? total : null, total, text };
}

const since = (asked, at) => (at === null ? null : (at - asked) / 1000);

// How many new tokens this server takes after PROMPT.
export async function findRoom(signal) {
  const { max_total_tokens: most } = await (await ask("/info", { signal })).json();
  const pieces = await (await ask("/tokenize", { method: "POST", body: { inputs: PROMPT }, signal })).json();
  return { most, prompt: pieces.length, room: most - pieces.length };
}
