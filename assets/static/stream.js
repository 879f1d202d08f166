// Stands in for the server's API where a station continues a story: plays the recorded one at its times.

import { loadFile } from "./files.js";
import { unpack } from "./packing.js";

let stories = null;

async function findStory({ inputs, parameters }) {
  stories ??= loadFile("stories").then(unpack);
  const { pace, stories: recorded } = await stories;
  const story = recorded.find(({ prompt }) => prompt.endsWith(inputs));
  if (!story || parameters.max_tokens_per_second !== pace) throw new Error("No recorded run is of this story: reload the page.");
  return story.tokens.slice(0, parameters.max_new_tokens);
}

// The stories were asked for in the model's own template; here each is found by its beginning.
export const applyChatTemplate = async () => "";

export async function generateStreamed(body, { signal, onToken = () => {} } = {}) {
  const tokens = await findStory(body);
  const asked = performance.now();
  let next = 0;
  while (next < tokens.length) {
    await wait(1000 * tokens[next][0] - (performance.now() - asked), signal);
    for (; next < tokens.length && 1000 * tokens[next][0] <= performance.now() - asked; next++) {
      onToken({ token: { text: tokens[next][1], special: false } }, performance.now());
    }
  }
  return { tokens, details: { generated_tokens: tokens.length } };
}

export async function generateWhole(body, { signal } = {}) {
  const tokens = await findStory(body);
  await wait(1000 * (tokens.at(-1)?.[0] ?? 0), signal);
  return { text: tokens.map(([, text]) => text).join(""), details: { generated_tokens: tokens.length } };
}

function wait(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const abort = () => { clearTimeout(timer); reject(signal.reason); };
    const timer = setTimeout(() => { signal.removeEventListener("abort", abort); resolve(); }, Math.max(0, milliseconds));
    signal.addEventListener("abort", abort, { once: true });
  });
}
